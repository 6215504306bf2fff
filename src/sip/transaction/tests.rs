//! Every timer by its value.
