"""Whether requests notice that the brain's language model hangs or dies."""
