"""The study: many methods on the embedded world, run by run, and the tables that follow from the runs' figures."""
