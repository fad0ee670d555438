import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "./app.css";
import "./lib/theme";
import { App } from "./App";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
