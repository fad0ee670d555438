// What was dropped or chosen, as the files of models. Pure but for reading folders.

/** A file with its path below what was dropped: `qwen/config.json`. */
export interface Piece {
  path: string;
  file: File;
}

/** The files of one model; paths are relative to its folder. */
export interface ModelFiles {
  model: string;
  pieces: Piece[];
}

/** All files of a drop. To be called while the drop is handled: afterwards a browser tells nothing. */
export function droppedPieces(transfer: DataTransfer): Promise<Piece[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return Promise.resolve(chosenPieces(transfer.files));
  return Promise.all(entries.map(piecesOf)).then((found) => found.flat());
}

async function piecesOf(entry: FileSystemEntry): Promise<Piece[]> {
  if (isHidden(entry.name)) return [];
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const inside = await entriesOf((entry as FileSystemDirectoryEntry).createReader());
  return (await Promise.all(inside.map(piecesOf))).flat();
}

/** A browser gives at most 100 of them at a time. */
async function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** All files of an input; one for folders says where in it each lies. */
export function chosenPieces(files: FileList): Piece[] {
  return [...files]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !path.split("/").some(isHidden));
}

/** `.git`, `.DS_Store`: of the machine they come from, not of the model. */
const isHidden = (name: string) => name.startsWith(".");

/** Each folder is a model; files without one are a model of their own, named for the first. */
export function asModels(pieces: readonly Piece[]): ModelFiles[] {
  const models = new Map<string, Piece[]>();
  const loose = pieces.find(({ path }) => !path.includes("/"));
  for (const { path, file } of pieces) {
    const [folder = "", ...below] = path.split("/");
    const model = nameFor(below.length > 0 ? folder : stem(loose!.path));
    models.set(model, [...(models.get(model) ?? []), { path: below.join("/") || path, file }]);
  }
  return [...models].map(([model, files]) => ({ model, pieces: files }));
}

const stem = (name: string) => name.replace(/\.[^.]+$/, "") || name;

/** A name that can be served, without spaces. */
function nameFor(folder: string): string {
  return folder.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 128) || "model";
}

export const totalBytes = (pieces: readonly Piece[]) => pieces.reduce((sum, { file }) => sum + file.size, 0);
