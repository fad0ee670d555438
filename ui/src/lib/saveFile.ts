/** Give a text to the browser as a file to keep. */
export function saveFile(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Not at once: Safari has not begun to read it then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
