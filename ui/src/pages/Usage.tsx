import { PageTitle } from "../components/PageTitle";

export default function Usage() {
  return <PageTitle title="Usage" />;
}
