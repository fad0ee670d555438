import { PageTitle } from "../components/PageTitle";
import { Playground } from "../playground/Playground";

export default function Model({ model }: { model: string }) {
  return (
    <>
      <PageTitle title={model} />
      <Playground model={model} />
    </>
  );
}
