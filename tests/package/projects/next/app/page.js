import { Visit } from "./visit.js";

// made for each visit: what is made beforehand has no nonce
export const dynamic = "force-dynamic";

export default function Page() {
  return <Visit />;
}
