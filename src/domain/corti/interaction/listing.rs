//! Builds the query of `GET /interactions/` (Corti's API reference).

use url::form_urlencoded::Serializer;

/// The interactions of one page. The API's default is 10; its maximum is not documented.
pub const PAGE_SIZE: usize = 50;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Only encounters with one of these states.
    pub statuses: Vec<&'static str>,
    /// Only this patient's, by its identifier.
    pub patient: Option<String>,
    /// What to sort by.
    pub sort: Sort,
    /// Smallest first.
    pub ascending: bool,
    /// At most so many, or all.
    pub limit: Option<usize>,
}

/// What interactions are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Their id.
    Id,
    /// The assigned user.
    User,
    /// The patient's identifier.
    Patient,
    /// The time of creation.
    #[default]
    Created,
    /// The end of the encounter.
    Ended,
    /// The last change.
    Updated,
}

impl Sort {
    /// All of them, in the API reference's order.
    pub const ALL: [Self; 6] =
        [Self::Id, Self::User, Self::Patient, Self::Created, Self::Ended, Self::Updated];

    /// The parameter's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::User => "assignedUserId",
            Self::Patient => "patient",
            Self::Created => "createdAt",
            Self::Ended => "endedAt",
            Self::Updated => "updatedAt",
        }
    }
}

impl Listing {
    /// The query of one page, counted from 1.
    pub(super) fn query(&self, page: u32) -> String {
        let size = self.limit.map_or(PAGE_SIZE, |limit| limit.clamp(1, PAGE_SIZE));
        let mut query = Serializer::new(String::new());
        query.append_pair("sort", self.sort.as_str());
        query.append_pair("direction", if self.ascending { "asc" } else { "desc" });
        query.append_pair("pageSize", &size.to_string()).append_pair("index", &page.to_string());
        query.extend_pairs(self.statuses.iter().map(|status| ("encounterStatus", status)));
        query.extend_pairs(self.patient.iter().map(|patient| ("patient", patient)));
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded() {
        let listing = Listing {
            statuses: vec!["planned", "on-hold"],
            patient: Some("a b&c".into()),
            sort: Sort::Created,
            ascending: false,
            limit: Some(3),
        };
        assert_eq!(
            listing.query(2),
            "sort=createdAt&direction=desc&pageSize=3&index=2&encounterStatus=planned&encounterStatus=on-hold&patient=a+b%26c"
        );
    }
}
