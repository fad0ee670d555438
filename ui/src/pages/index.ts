// The pages: where each is, who may see it, and its code, fetched when it is first looked at.
import { Activity, BarChart3, Boxes, BrainCircuit, KeyRound, LayoutDashboard, ListOrdered, type LucideIcon } from "lucide-react";
import { lazy, type ComponentType } from "react";

import type { Scope } from "../api/types";

export interface Page {
  path: string;
  title: string;
  icon: LucideIcon;
  needs: Scope;
  component: ComponentType;
}

const page = (load: () => Promise<{ default: ComponentType }>) => lazy(load);

export const PAGES: Page[] = [
  { path: "/", title: "Overview", icon: LayoutDashboard, needs: "read", component: page(() => import("./Overview")) },
  { path: "/models", title: "Models", icon: Boxes, needs: "read", component: page(() => import("./Models")) },
  { path: "/requests", title: "Requests", icon: ListOrdered, needs: "admin", component: page(() => import("./Requests")) },
  { path: "/decisions", title: "Decisions", icon: BrainCircuit, needs: "admin", component: page(() => import("./Decisions")) },
  { path: "/events", title: "Events", icon: Activity, needs: "read", component: page(() => import("./Events")) },
  { path: "/usage", title: "Usage", icon: BarChart3, needs: "read", component: page(() => import("./Usage")) },
  { path: "/keys", title: "Keys", icon: KeyRound, needs: "admin", component: page(() => import("./Keys")) },
];

/** `/models/:model`, which is in no menu. */
export const ModelPage = lazy(() => import("./Model"));
