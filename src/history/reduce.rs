//! A million points in forty columns: minimum and maximum per column, so that spikes survive.
