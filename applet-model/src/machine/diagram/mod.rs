//! The machine as a picture: an SVG that is the same for the same table.

