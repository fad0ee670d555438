import { PageTitle } from "../components/PageTitle";

export default function Events() {
  return <PageTitle title="Events" />;
}
