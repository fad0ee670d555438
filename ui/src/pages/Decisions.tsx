import { PageTitle } from "../components/PageTitle";

export default function Decisions() {
  return <PageTitle title="Decisions" />;
}
