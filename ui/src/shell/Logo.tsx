/** The mark beside the name; drawn in the colour of the theme. */
export function Logo() {
  return (
    <svg aria-hidden="true" viewBox="0 0 32 32" className="size-6 shrink-0">
      <rect width="32" height="32" rx="7" className="fill-accent" />
      <path d="M7 22V10h3.200l5.800 7.400L21.800 10H25v12h-3.200v-7.200L16 22l-5.800-7.200V22z" className="fill-on-accent" />
    </svg>
  );
}
