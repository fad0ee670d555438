import { useLayoutEffect, useRef } from "react";

/** Near enough to the end to be meant as there, in pixels. */
const NEAR = 60;

/** Keeps a list that grows scrolled to its end, unless somebody has scrolled back in it. */
export function useStayAtEnd(length: number) {
  const list = useRef<HTMLOListElement>(null);
  const height = useRef(0);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const wasAtEnd = element.scrollTop + element.clientHeight >= height.current - NEAR;
    if (wasAtEnd) element.scrollTop = element.scrollHeight;
    height.current = element.scrollHeight;
  }, [length]);
  return list;
}
