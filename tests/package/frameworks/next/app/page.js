import { Visit } from "./visit.js";

// rendered for each request: a page that is rendered beforehand has no nonce
export const dynamic = "force-dynamic";

export default function Page() {
  return <Visit />;
}
