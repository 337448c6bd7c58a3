//! Every pattern of the Curity profile fits a path that the server knows, and secrets and their false friends part.

use super::{ParameterType, PathPattern, ServerProfile};

/// Paths as they stand in real configurations.
const PATHS: &str = "
aaa/authentication/users/user
aaa/authentication/users/user/password
aaa/ios/level
aaa/ios/level/prompt
aaa/ios/privilege
aaa/ios/privilege/level
aaa/ios/privilege/level/command
environments/environment/admin-service/http/base-url
environments/environment/admin-service/http/devops-dashboard/authorization-manager
environments/environment/admin-service/http/devops-dashboard/client
environments/environment/admin-service/http/restconf/oauth/client
environments/environment/admin-service/http/restconf/oauth/oauth-profile
environments/environment/admin-service/http/ssl-server-keystore
environments/environment/base-url
environments/environment/cluster/host
environments/environment/cluster/keystore
environments/environment/cluster/port
environments/environment/services/service-role/enable-http-v2
environments/environment/services/service-role/enabled
environments/environment/services/service-role/endpoints
environments/environment/services/service-role/listening-port
environments/environment/services/service-role/ssl-server-keystore
environments/environment/services/service-role/zone
environments/environment/services/zones/default-zone/allowed-origins-for-cors
environments/environment/services/zones/default-zone/email-provider
environments/environment/services/zones/default-zone/symmetric-key
environments/environment/services/zones/zone
environments/environment/telemetry/telemetry-provider/opentelemetry/property
environments/environment/white-listed-proxies/proxy
facilities/caching-services/default-caching-service/data-source
facilities/crypto/decryption-keys/decryption-key/keystore
facilities/crypto/encryption-keys/encryption-key
facilities/crypto/encryption-keys/encryption-key/external-id
facilities/crypto/encryption-keys/encryption-key/keystore
facilities/crypto/signature-verification-keys/signature-verification-key
facilities/crypto/signature-verification-keys/signature-verification-key/keystore
facilities/crypto/signing-keys/signing-key
facilities/crypto/signing-keys/signing-key/keystore
facilities/crypto/ssl/client-keystore/keystore
facilities/crypto/ssl/client-truststore/client-certificate
facilities/crypto/ssl/client-truststore/client-certificate/keystore
facilities/crypto/ssl/server-keystore
facilities/crypto/ssl/server-keystore/keystore
facilities/crypto/ssl/server-truststore/server-certificate/keystore
facilities/crypto/symmetric-keys/symmetric-key
facilities/data-sources/data-source
facilities/data-sources/data-source/couchbase/host
facilities/data-sources/data-source/couchbase/use-tls
facilities/data-sources/data-source/jdbc/connection-string
facilities/data-sources/data-source/jdbc/password
facilities/data-sources/data-source/jdbc/use-for-audit
facilities/data-sources/data-source/multi-zone/zone-mapping
facilities/data-sources/data-source/multi-zone/zone-mapping/data-source
facilities/data-sources/data-source/multi-zone/zone-mapping/zone
facilities/email-providers/email-provider
facilities/email-providers/email-provider/smtp/password
facilities/email-providers/email-provider/smtp/smtp-host
facilities/email-providers/email-provider/smtp/smtp-port
facilities/http/client
facilities/http/client/oauth/client-secret
nacm/groups/group
nacm/groups/group/user-name
nacm/rule-list
nacm/rule-list/group
nacm/rule-list/rule
processing/account-managers/account-manager
processing/account-managers/account-manager/account-data-source
processing/account-managers/account-manager/username-is-email
processing/authorization-managers/authorization-manager
processing/authorization-managers/authorization-manager/attribute/rule-list
processing/authorization-managers/authorization-manager/attribute/rule-list/rule
processing/authorization-managers/authorization-manager/attribute/rule-list/rule/access-operation
processing/authorization-managers/authorization-manager/attribute/rule-list/select-rule-list-when/context-requirement
processing/authorization-managers/authorization-manager/attribute/rule-list/select-rule-list-when/scope-requirement/scope
processing/authorization-managers/authorization-manager/groups/group
processing/authorization-managers/authorization-manager/groups/scope
processing/authorization-managers/authorization-manager/scopes/policies/policy
processing/authorization-managers/authorization-manager/scopes/policies/policy/rules/scope
processing/credential-managers/credential-manager
processing/credential-managers/credential-manager/data-source-backed/data-source-id
processing/license-key
processing/procedures/token-procedure
processing/procedures/token-procedure/data-source
profiles/profile
profiles/profile/endpoints/endpoint
profiles/profile/endpoints/endpoint/pre-processing-procedure
profiles/profile/endpoints/endpoint/token-endpoint-procedures
profiles/profile/endpoints/endpoint/token-endpoint-procedures/procedure
profiles/profile/settings/apps-service/applications/application/token-handler/external-client/client-secret
profiles/profile/settings/apps-service/applications/application/token-handler/external-client/logout/logout-endpoint
profiles/profile/settings/apps-service/applications/application/token-handler/external-client/scope
profiles/profile/settings/apps-service/applications/application/token-handler/external-client/token-endpoint
profiles/profile/settings/apps-service/applications/application/token-handler/proxy-keystore
profiles/profile/settings/apps-service/applications/application/token-handler/proxy-keystore/id
profiles/profile/settings/apps-service/applications/application/token-handler/single-page-application-base-url
profiles/profile/settings/apps-service/oauth-profile-id
profiles/profile/settings/authentication-service/authentication-actions/authentication-action
profiles/profile/settings/authentication-service/authentication-actions/authentication-action/script-transformer/transformation-procedure
profiles/profile/settings/authentication-service/authentication-actions/authentication-action/zone-transfer/zones
profiles/profile/settings/authentication-service/authenticator-filters/authenticator-filter
profiles/profile/settings/authentication-service/authenticator-filters/authenticator-filter/script-filter/authenticator-filter-procedure
profiles/profile/settings/authentication-service/authenticators/authenticator
profiles/profile/settings/authentication-service/authenticators/authenticator/authentication-actions/login
profiles/profile/settings/authentication-service/authenticators/authenticator/duo/api-key
profiles/profile/settings/authentication-service/authenticators/authenticator/email/email-provider
profiles/profile/settings/authentication-service/authenticators/authenticator/email/email-provider/id
profiles/profile/settings/authentication-service/authenticators/authenticator/html-form/account-manager
profiles/profile/settings/authentication-service/authenticators/authenticator/html-form/credential-manager
profiles/profile/settings/authentication-service/authenticators/authenticator/html-form/password-only
profiles/profile/settings/authentication-service/authenticators/authenticator/ldap/password
profiles/profile/settings/authentication-service/authenticators/authenticator/passkeys/account-manager/id
profiles/profile/settings/authentication-service/authenticators/authenticator/passkeys/credential-manager/id
profiles/profile/settings/authentication-service/authenticators/authenticator/passkeys/data-source/id
profiles/profile/settings/authentication-service/authenticators/authenticator/previous-authenticator
profiles/profile/settings/authentication-service/authenticators/authenticator/required-authenticator-for-registration
profiles/profile/settings/authentication-service/authenticators/authenticator/saml/signing-keystore-id
profiles/profile/settings/authentication-service/authenticators/authenticator/saml/verification-keystore-id
profiles/profile/settings/authentication-service/authenticators/authenticator/oidc/http-client/id
profiles/profile/settings/authentication-service/authenticators/authenticator/sql/data-source-id
profiles/profile/settings/authentication-service/authenticators/authenticator/totp/selector/option
profiles/profile/settings/authorization-server/authentication-service/authentication-profile
profiles/profile/settings/authorization-server/claims/claim
profiles/profile/settings/authorization-server/claims/claim/transformation/input-attribute-names
profiles/profile/settings/authorization-server/claims/claim/value-provided-by
profiles/profile/settings/authorization-server/claims/claims-mappers/claims-mapper
profiles/profile/settings/authorization-server/claims/claims-mappers/claims-mapper/id_token/claim
profiles/profile/settings/authorization-server/claims/claims-mappers/default-claims-mapper
profiles/profile/settings/authorization-server/claims/claims-value-provider
profiles/profile/settings/authorization-server/claims/claims-value-provider/data-source-claims-provider/data-source
profiles/profile/settings/authorization-server/claims/claims-value-provider/script-claims-provider/procedure
profiles/profile/settings/authorization-server/client-authentication/asymmetrically-signed-jwt/signature-algorithm
profiles/profile/settings/authorization-server/client-authentication/symmetrically-signed-jwt/signature-algorithm
profiles/profile/settings/authorization-server/client-authentication/using-jwt/client-id-mappings/client-id-mapping
profiles/profile/settings/authorization-server/client-store/config-backed/client
profiles/profile/settings/authorization-server/client-store/config-backed/client/access-token-ttl
profiles/profile/settings/authorization-server/client-store/config-backed/client/allowed-origins
profiles/profile/settings/authorization-server/client-store/config-backed/client/audience
profiles/profile/settings/authorization-server/client-store/config-backed/client/claims-mapper
profiles/profile/settings/authorization-server/client-store/config-backed/client/client-name
profiles/profile/settings/authorization-server/client-store/config-backed/client/jwks-uri/http-client
profiles/profile/settings/authorization-server/client-store/config-backed/client/jwks-uri/uri
profiles/profile/settings/authorization-server/client-store/config-backed/client/logo
profiles/profile/settings/authorization-server/client-store/config-backed/client/mutual-tls/trusted-ca
profiles/profile/settings/authorization-server/client-store/config-backed/client/proof-key/require-proof-key
profiles/profile/settings/authorization-server/client-store/config-backed/client/properties/property
profiles/profile/settings/authorization-server/client-store/config-backed/client/redirect-uris
profiles/profile/settings/authorization-server/client-store/config-backed/client/scope
profiles/profile/settings/authorization-server/client-store/config-backed/client/secondary-authentication-method/secret
profiles/profile/settings/authorization-server/client-store/config-backed/client/secret
profiles/profile/settings/authorization-server/client-store/config-backed/client/symmetric-key
profiles/profile/settings/authorization-server/client-store/config-backed/client/user-authentication/allowed-authenticators
profiles/profile/settings/authorization-server/client-store/config-backed/client/user-authentication/allowed-post-logout-redirect-uris
profiles/profile/settings/authorization-server/client-store/config-backed/client/user-authentication/authenticator-filters
profiles/profile/settings/authorization-server/client-store/config-backed/client/validate-port-on-loopback-interfaces
profiles/profile/settings/authorization-server/dynamic-client-registration/client-data-source
profiles/profile/settings/authorization-server/dynamic-client-registration/non-templatized/authenticators/authenticator
profiles/profile/settings/authorization-server/dynamic-client-registration/non-templatized/scopes/scope
profiles/profile/settings/authorization-server/ephemeral-client/authenticators/authenticator
profiles/profile/settings/authorization-server/ephemeral-client/scopes/scope
profiles/profile/settings/authorization-server/openid-connect/expose-metadata/token-endpoint/endpoint
profiles/profile/settings/authorization-server/scopes/scope
profiles/profile/settings/authorization-server/scopes/scope/claims
profiles/profile/settings/saml-idp/attributes/attribute
profiles/profile/settings/user-management-service/api-authentication/oauth-service
profiles/profile/settings/user-management-service/authorization-manager
profiles/profile/token-issuers/default-token-issuer/jwt-issuer-settings/encryption-key-id
profiles/profile/token-issuers/default-token-issuer/jwt-issuer-settings/signature-verification-key-id
profiles/profile/token-issuers/default-token-issuer/jwt-issuer-settings/signing-key-id
profiles/profile/token-issuers/default-token-issuer/jwt-issuer-settings/verification-key-id
environments/environment
environments/environment/admin-service
environments/environment/cluster
environments/environment/name
environments/environment/services/service-role
environments/environment/services/service-role/protocol
environments/environment/services/zones/default-zone
facilities/caching-services/default-caching-service
facilities/crypto/decryption-keys/decryption-key
facilities/http/client/tls/disable-hostname-verification
facilities/http/client/tls/use-truststore
facilities/crypto/ssl/server-truststore/server-certificate
facilities/crypto/ssl/client-keystore
nacm/read-default
nacm/rule-list/rule/action
processing/account-managers/account-manager/enable-registration/account-verification-method
processing/authorization-managers/authorization-manager/attribute/rule-list/rule/decision
profiles/profile/endpoints/endpoint/client-authentication
profiles/profile/endpoints/endpoint/uri
profiles/profile/settings/apps-service/applications/application
profiles/profile/settings/authorization-server/client-capabilities/code
profiles/profile/settings/authorization-server/client-capabilities/implicit
profiles/profile/settings/authorization-server/client-capabilities/resource-owner-password-credentials
profiles/profile/settings/authorization-server/dynamic-client-registration
profiles/profile/settings/authorization-server/ephemeral-client/require-request-object
profiles/profile/settings/authorization-server/ephemeral-client/refresh-token-max-rolling-lifetime
profiles/profile/settings/authorization-server/dynamic-client-registration/non-templatized/capabilities/implicit
profiles/profile/settings/authorization-server/dynamic-client-registration/non-templatized/capabilities/resource-owner-password-credentials
profiles/profile/settings/authorization-server/scopes/scope/description
profiles/profile/settings/authorization-server/client-store/config-backed/client/assertion-jwt-validation/issuer
profiles/profile/settings/authorization-server/client-store/config-backed/client/capabilities/code
profiles/profile/settings/authorization-server/client-store/config-backed/client/capabilities/code/require-pushed-authorization-requests
profiles/profile/settings/authorization-server/client-store/config-backed/client/mutual-tls/client-dn
profiles/profile/settings/authorization-server/client-store/config-backed/client/no-authentication
profiles/profile/settings/authorization-server/client-store/config-backed/client/refresh-token-ttl
profiles/profile/settings/authorization-server/client-store/config-backed/client/require-secured-authorization-response
profiles/profile/settings/authorization-server/client-store/config-backed/client/use-pairwise-subject-identifiers
profiles/profile/settings/authorization-server/client-store/config-backed/client/use-pairwise-subject-identifiers/sector-identifier
profiles/profile/settings/authorization-server/client-store/config-backed/client/user-consent
profiles/profile/token-issuers/custom-token-issuer
profiles/profile/token-issuers/default-token-issuer/access-token-as-jwt
profiles/profile/token-issuers/default-token-issuer/jwt-issuer-settings/algorithm
profiles/profile/token-issuers/default-token-issuer/use-wrapped-opaque-tokens
";

fn paths() -> Vec<Vec<&'static str>> {
    PATHS.trim().lines().map(|line| line.split('/').collect()).collect()
}

fn curity() -> ServerProfile {
    ServerProfile::built_in("curity").expect("built in")
}

/// Every path pattern of the profile.
fn patterns(profile: &ServerProfile) -> Vec<PathPattern> {
    let shape = &profile.tree;
    let mut patterns = profile.public.clone();
    patterns.extend(profile.secrets.iter().map(|rule| rule.path.clone()));
    patterns.extend(
        profile
            .types
            .iter()
            .map(|hint| hint.pattern.parse().expect("validated")),
    );
    patterns.extend(shape.lists.iter().map(|rule| rule.path.clone()));
    for list in [
        &shape.containers,
        &shape.leaf_lists,
        &shape.ordered,
        &shape.preserve_space,
    ] {
        patterns.extend(list.iter().cloned());
    }
    for rule in &profile.references {
        patterns.extend(rule.defined_by.iter().chain(&rule.used_by).cloned());
    }
    patterns.extend(profile.components.iter().map(|rule| rule.path.clone()));
    patterns.extend(profile.changes.iter().flat_map(|rule| rule.paths.iter().cloned()));
    patterns
}

#[test]
fn every_pattern_fits_a_path_that_the_server_knows() {
    let paths = paths();
    let idle: Vec<_> = patterns(&curity())
        .into_iter()
        .filter(|pattern| !paths.iter().any(|path| pattern.matches(path)))
        .map(|pattern| pattern.to_string())
        .collect();
    assert_eq!(idle, Vec::<String>::new());
}

#[test]
fn a_key_s_container_or_leaf_list_is_never_a_keyed_list_too() {
    let profile = curity();
    let shape = &profile.tree;
    for path in paths() {
        let listed = shape.lists.iter().any(|rule| rule.path.matches(&path));
        let container = shape.containers.iter().any(|pattern| pattern.matches(&path));
        let leaves = shape.leaf_lists.iter().any(|pattern| pattern.matches(&path));
        assert!(
            usize::from(listed) + usize::from(container) + usize::from(leaves) <= 1,
            "{path:?}"
        );
    }
}

#[test]
fn no_reference_is_defined_where_it_is_used() {
    for rule in curity().references {
        for path in paths() {
            let defined = rule.defined_by.iter().any(|pattern| pattern.matches(&path));
            let used = rule.used_by.iter().any(|pattern| pattern.matches(&path));
            assert!(!(defined && used), "{}: {path:?}", rule.what);
        }
    }
}

#[test]
fn secrets_and_their_false_friends_part() {
    let profile = curity();
    let secret = |path: &str| {
        let path: Vec<_> = path.split('/').collect();
        let public = profile.public.iter().any(|pattern| pattern.matches(&path));
        !public && profile.secrets.iter().any(|rule| rule.path.matches(&path))
    };
    let client = "profiles/profile/settings/authorization-server/client-store/config-backed/client";
    for path in [
        "aaa/authentication/users/user/password",
        "environments/environment/cluster/keystore",
        "environments/environment/services/zones/default-zone/symmetric-key",
        "facilities/crypto/signing-keys/signing-key/keystore",
        "facilities/crypto/ssl/server-keystore/keystore",
        "facilities/data-sources/data-source/jdbc/connection-string",
        "facilities/email-providers/email-provider/smtp/password",
        "processing/license-key",
        &format!("{client}/secret"),
        &format!("{client}/symmetric-key"),
    ] {
        assert!(secret(path), "{path}");
    }
    for path in [
        "environments/environment/services/service-role/ssl-server-keystore",
        "facilities/crypto/signature-verification-keys/signature-verification-key/keystore",
        "facilities/crypto/ssl/server-truststore/server-certificate/keystore",
        "facilities/crypto/ssl/client-truststore/client-certificate/keystore",
        "profiles/profile/settings/authentication-service/authenticators/authenticator/html-form/password-only",
        &format!("{client}/logo"),
        &format!("{client}/client-name"),
    ] {
        assert!(!secret(path), "{path}");
    }
}

#[test]
fn places_tell_types() {
    let profile = curity();
    let kind = |path: &str| {
        let path: Vec<_> = path.split('/').collect();
        let fits = |pattern: &str| {
            pattern
                .parse::<PathPattern>()
                .is_ok_and(|pattern| pattern.matches(&path))
        };
        let hint = profile.types.iter().find(|hint| fits(&hint.pattern));
        hint.and_then(|hint| hint.kind)
    };
    assert_eq!(kind("environments/environment/base-url"), Some(ParameterType::Url));
    assert_eq!(
        kind("aaa/authentication/users/user/password"),
        Some(ParameterType::PasswordHash)
    );
    assert_eq!(
        kind("facilities/crypto/signing-keys/signing-key/keystore"),
        Some(ParameterType::Encrypted)
    );
    assert_eq!(
        kind("facilities/email-providers/email-provider/smtp/smtp-port"),
        Some(ParameterType::Port)
    );
    assert_eq!(kind("facilities/data-sources/data-source/jdbc/password"), None);
}
