import { PageTitle } from "../components/PageTitle";

export default function Overview() {
  return <PageTitle title="Overview" />;
}
