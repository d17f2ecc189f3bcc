// What the runtime loads: the Worker in Rust, and what answers for it when it dies.

import * as rust from "./build/index.js";
import { rescue } from "./rescue.js";

export default rescue(rust);
