//! The YAML document as a tree of nodes that know their place.
