"""Plans that make hot water cheaper: learned draws, a bound, a search, and what they promise."""
