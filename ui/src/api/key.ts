// The key of this tab: it goes with the tab, and nowhere else than into a request's header.
const NAME = "modelium.key";

type Listener = () => void;

let onRefused: Listener = () => {};

export const keyStore = {
  get: (): string | null => sessionStorage.getItem(NAME),
  set: (key: string): void => sessionStorage.setItem(NAME, key),
  forget: (): void => sessionStorage.removeItem(NAME),
  /** Called when the gateway no longer takes the key. */
  refused: (): void => onRefused(),
  whenRefused: (listener: Listener): void => {
    onRefused = listener;
  },
};
