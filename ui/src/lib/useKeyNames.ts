import { listKeys } from "../api/keys";
import { useMay } from "../api/session";
import { useAsked } from "./useAsked";

/** What keys are called, by id; nothing for those who may not see keys. */
export function useKeyNames(): ReadonlyMap<string, string> {
  const may = useMay("admin");
  const { value } = useAsked(async (signal) => (may ? (await listKeys(signal)).keys : []), `key names ${may}`);
  return new Map(value?.filter(({ name }) => name).map(({ key_id, name }) => [key_id, name]));
}
