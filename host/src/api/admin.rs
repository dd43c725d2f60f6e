//! What whoever asks the admin listener is told, where a token is wanted.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::caller::Unauthorized;
use super::error::ApiError;

/// Why a request isn't let in at the admin listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// There was no token.
    #[error("The admin listener wants a token: send it as `Authorization: Bearer <token>`.")]
    Missing,
    /// There was one, and it is none of the configuration's.
    #[error("This token is none of those in `admin.tokens`. A client's key is not one of them.")]
    Wrong,
    /// Its time is over.
    #[error("This token has expired. Ask whoever runs this gateway for a new one.")]
    Expired,
    /// It is good, and not for this.
    #[error(
        "This token is a viewer's: it reads `/status` and `/metrics`. What changes something, or asks the targets, wants an operator's."
    )]
    Viewer,
}

impl From<Unauthorized> for NotAdmitted {
    fn from(why: Unauthorized) -> Self {
        match why {
            Unauthorized::Missing => NotAdmitted::Missing,
            Unauthorized::Expired => NotAdmitted::Expired,
            Unauthorized::Wrong | Unauthorized::Disabled | Unauthorized::Token(_) => {
                NotAdmitted::Wrong
            }
        }
    }
}

impl IntoResponse for NotAdmitted {
    fn into_response(self) -> Response {
        let unauthorized = StatusCode::UNAUTHORIZED;
        let (status, kind, code) = match self {
            NotAdmitted::Missing => (unauthorized, "invalid_request_error", "missing_admin_token"),
            NotAdmitted::Wrong => (unauthorized, "invalid_request_error", "wrong_admin_token"),
            NotAdmitted::Expired => (unauthorized, "invalid_request_error", "expired_admin_token"),
            NotAdmitted::Viewer => (StatusCode::FORBIDDEN, "permission_error", "operators_only"),
        };
        let error = ApiError::new(status, kind, code, self.to_string()).param("admin_token");
        let mut response = error.into_response();
        if status == unauthorized {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
