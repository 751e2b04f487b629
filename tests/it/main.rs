mod profiles;
mod templates;
