import type { ComponentType } from "preact";
import type { Connection } from "../cluster.js";

export interface CaseProps {
  connection: Connection;
}

/** One thing to try, under a tab of its own. */
export interface Case {
  /** In the page's address. */
  id: string;
  title: string;
  View: ComponentType<CaseProps>;
}
