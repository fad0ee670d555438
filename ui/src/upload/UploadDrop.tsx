/** Takes what is dropped anywhere onto the page; only there where uploads are on. */
export function UploadDrop() {
  return null;
}
