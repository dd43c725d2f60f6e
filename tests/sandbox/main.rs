//! The sandbox against hostile guests.
