//! The field lines of an ordinary response, none of which is of a quota.

/// Without its date.
pub const PLAIN: [(&str, &str); 12] = [
    ("server", "nginx"),
    ("content-length", "5000"),
    ("connection", "keep-alive"),
    ("cache-control", "private, max-age=0"),
    ("vary", "Accept, Authorization"),
    ("etag", "\"0a1b2c3d4e5f\""),
    ("x-content-type-options", "nosniff"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-request-id", "7d1c6f0e-1b1f-4b3e-9d39-6d9a9a0c1f11"),
    ("access-control-allow-origin", "*"),
    ("via", "1.1 gateway"),
    ("content-type", "application/json; charset=utf-8"),
];
