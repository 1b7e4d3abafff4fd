//! Builds the query of `GET /interactions/` (Corti's API reference).

use url::form_urlencoded::Serializer;

/// The interactions of one page. The API's default is 10; its maximum is not documented.
pub const PAGE_SIZE: usize = 50;

/// What to list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Only encounters with one of these states.
    pub statuses: Vec<&'static str>,
    /// Only this patient's, by its identifier.
    pub patient: Option<String>,
    /// What to sort by: a parameter's value of [`SORTS`].
    pub sort: &'static str,
    /// Smallest first.
    pub ascending: bool,
    /// At most so many, or all.
    pub limit: Option<usize>,
}

/// What interactions can be sorted by: our word for it, and the parameter's value. The first is the default.
pub const SORTS: [(&str, &str); 6] = [
    ("created", "createdAt"),
    ("updated", "updatedAt"),
    ("ended", "endedAt"),
    ("id", "id"),
    ("user", "assignedUserId"),
    ("patient", "patient"),
];

impl Listing {
    /// The query of one page, counted from 1.
    pub(super) fn query(&self, page: u32) -> String {
        let size = self.limit.map_or(PAGE_SIZE, |limit| limit.clamp(1, PAGE_SIZE));
        let mut query = Serializer::new(String::new());
        query.append_pair("sort", self.sort);
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
            sort: "createdAt",
            ascending: false,
            limit: Some(3),
        };
        assert_eq!(
            listing.query(2),
            "sort=createdAt&direction=desc&pageSize=3&index=2&encounterStatus=planned&encounterStatus=on-hold&patient=a+b%26c"
        );
    }
}
