//! The routes and their description, OpenAPI 3.1, from one source; served as it is, and as a page for people.

use axum::{
    Json, Router,
    http::{HeaderName, HeaderValue},
    response::{Html, IntoResponse},
    routing::get,
};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
    path::Operation,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App,
    problem::{Kind, Problem, Told},
    routes::{builders, events, grants, health, holds, jobs, orgs, people, projects, tokens, trusts},
};

/// What any request may be answered with, by its method.
const ALWAYS: [Kind; 5] = [Kind::Malformed, Kind::NotFound, Kind::TooMany, Kind::Unavailable, Kind::Internal];
const IDENTIFIED: [Kind; 3] = [Kind::Unauthenticated, Kind::Forbidden, Kind::Invalid];
const CHANGES: [Kind; 1] = [Kind::Refused];
const BODIES: [Kind; 2] = [Kind::MediaType, Kind::TooLarge];

/// The routes, and their description.
pub(super) fn routes() -> (Router<App>, OpenApi) {
    let info = InfoBuilder::new()
        .title("provisioner")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Builders and caches for remote builds. Send `Authorization: Bearer TOKEN`; what a token does not see does not exist for it \
             (404). Errors are problem details (RFC 9457) with a stable `type`, the field at fault and the remedy.",
        ));
    let bare = OpenApiBuilder::new().info(info.build()).build();
    let (router, mut document) = OpenApiRouter::with_openapi(bare)
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(orgs::identity))
        .routes(routes!(orgs::list, orgs::create))
        .routes(routes!(orgs::get, orgs::delete))
        .routes(routes!(orgs::audit))
        .routes(routes!(people::users, people::create))
        .routes(routes!(people::members))
        .routes(routes!(people::set, people::remove))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::list_own, tokens::create_own))
        .routes(routes!(tokens::revoke_own))
        .routes(routes!(trusts::list, trusts::create))
        .routes(routes!(trusts::delete))
        .routes(routes!(trusts::exchange))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::get, projects::delete))
        .routes(routes!(jobs::list, jobs::create))
        .routes(routes!(jobs::find))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::story))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::retry))
        .routes(routes!(builders::list))
        .routes(routes!(builders::get, builders::destroy))
        .routes(routes!(builders::acquire))
        .routes(routes!(builders::touch))
        .routes(routes!(builders::release))
        .routes(routes!(builders::provision))
        .routes(routes!(builders::start))
        .routes(routes!(builders::stop))
        .routes(routes!(holds::hold, holds::unhold))
        .routes(routes!(grants::create))
        .routes(routes!(grants::list))
        .routes(routes!(grants::get))
        .routes(routes!(grants::open))
        .routes(routes!(grants::revoke))
        .routes(routes!(builders::caches))
        .routes(routes!(builders::destroy_cache))
        .routes(routes!(events::follow))
        .split_for_parts();
    complete(&mut document);
    (router, document)
}

/// What all operations have in common: problems, and that somebody has to say who asks.
fn complete(document: &mut OpenApi) {
    let mut components = document.components.take().unwrap_or_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    let schema = <Told as utoipa::PartialSchema>::schema();
    components.schemas.insert("Problem".to_owned(), schema);
    document.components = Some(components);
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        let is_open = !path.starts_with("/v1");
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let mut kinds: Vec<Kind> = ALWAYS.to_vec();
            if !is_open {
                kinds.extend(IDENTIFIED);
            }
            if method != HttpMethod::Get {
                kinds.extend(CHANGES);
            }
            if operation.request_body.is_some() {
                kinds.extend(BODIES);
            }
            describe(operation, &kinds);
        }
    }
}

fn describe(operation: &mut Operation, kinds: &[Kind]) {
    for kind in kinds {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(Problem::new(*kind, "").title)
            .content(super::problem::CONTENT_TYPE, content)
            .build();
        let status = kind.status().as_u16().to_string();
        operation.responses.responses.entry(status).or_insert(RefOr::T(response));
    }
}

/// The routes with their description beside them.
pub(super) fn served(routes: Router<App>, document: OpenApi) -> Router<App> {
    let page = page(&document);
    routes
        .route("/openapi.json", get(move || async move { Json(document) }))
        .route("/", get(move || async move { shown(page) }))
}

/// A page needs its own style, and nothing else.
fn shown(page: String) -> impl IntoResponse {
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    ([(HeaderName::from_static("content-security-policy"), policy)], Html(page))
}

/// The description for people: no script, nothing from elsewhere.
fn page(document: &OpenApi) -> String {
    let mut rows = String::new();
    for (path, item) in &document.paths.paths {
        let operations = [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let summary = operation.summary.as_deref().unwrap_or_default();
            let more = operation.description.as_deref().unwrap_or_default();
            let statuses: Vec<&str> = operation.responses.responses.keys().map(String::as_str).collect();
            rows.push_str(&format!(
                "<tr><td><b>{method}</b></td><td><code>{}</code></td><td>{}<br><small>{}</small></td><td><small>{}</small></td></tr>\n",
                escaped(path),
                escaped(summary),
                escaped(more),
                statuses.join(" ")
            ));
        }
    }
    let about = document.info.description.as_deref().unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>provisioner {version}</title><style>\
         body{{font:16px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}}td{{padding:.3em 1em .3em 0;\
         vertical-align:top;border-top:1px solid #ccc}}table{{border-collapse:collapse}}</style></head><body>\
         <h1>provisioner {version}</h1><p>{about}</p><p><a href=\"/openapi.json\">openapi.json</a> (OpenAPI 3.1)</p>\
         <table>{rows}</table></body></html>\n",
        version = escaped(&document.info.version),
        about = escaped(about)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
