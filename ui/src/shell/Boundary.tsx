import { Component, type ReactNode } from "react";

import { Notice } from "../components/Notice";

interface State {
  problem: string | null;
}

/** Keeps a fault of one page from taking the frame with it; another page is another try. */
export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = { problem: null };

  static getDerivedStateFromError(error: unknown): State {
    return { problem: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    const { problem } = this.state;
    if (problem === null) return this.props.children;
    return (
      <Notice>
        <span>This page has a fault: {problem}. Reload it, or go on to another.</span>
      </Notice>
    );
  }
}
