//! Why a request failed, and what `doctor` judges.

pub mod diagnosis;
pub mod explanation;
