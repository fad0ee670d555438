import { PageTitle } from "../components/PageTitle";

export default function Requests() {
  return <PageTitle title="Requests" />;
}
