"""Plans for any envelope that asks for facets: capabilities chained from what is wanted back to what is given."""
