import { Upload } from "lucide-react";
import { useRef } from "react";

import { useMay, useSession } from "../api/session";
import { Button } from "../components/Button";
import { chosenPieces } from "./pieces";
import { offerAll } from "./UploadDrop";

/** Chooses a folder to upload, for those who do not drag; nothing where uploads are off. */
export function UploadButton() {
  const input = useRef<HTMLInputElement>(null);
  const isOn = useSession((state) => state.session?.features.upload ?? false);
  if (!useMay("admin") || !isOn) return null;
  return (
    <>
      <input
        ref={(element) => {
          input.current = element;
          element?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        multiple
        hidden
        aria-label="Folder of a model"
        onChange={(event) => {
          if (event.target.files) offerAll(chosenPieces(event.target.files));
          event.target.value = "";
        }}
      />
      <Button onClick={() => input.current?.click()}>
        <Upload size={14} aria-hidden="true" /> Upload a folder
      </Button>
    </>
  );
}
