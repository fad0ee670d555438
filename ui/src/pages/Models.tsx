import { PageTitle } from "../components/PageTitle";

export default function Models() {
  return <PageTitle title="Models" />;
}
