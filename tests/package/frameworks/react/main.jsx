import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Create, Visit } from "./app.jsx";

createRoot(document.getElementById("root")).render(
  <StrictMode>{location.pathname === "/create" ? <Create /> : <Visit />}</StrictMode>,
);
