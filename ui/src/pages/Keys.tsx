import { PageTitle } from "../components/PageTitle";

export default function Keys() {
  return <PageTitle title="Keys" />;
}
