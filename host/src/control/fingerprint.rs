//! Telling whether anything has changed since the last reload.
//!
//! What must stay true: everything that a generation is built from is hashed, and no secret can be found from the result. Every
//! struct of the configuration is taken apart field by field, so that a new field doesn't compile before it is hashed here.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::{
    AdminToken, BreakerConfig, Claims, ClientConfig, ClientKey, ClientMetrics, ComponentSource,
    Config, DataPolicy, ExecRef, HealthCheckConfig, HedgingConfig, HttpConfig, HttpHost,
    IdentityFiles, Isolation, JournalConfig, JwksSource, JwtConfig, KeyConfig, Limits,
    ModelsConfig, OpaqueParts, Pack, PemFile, Position, Price, PricingConfig, ReloadConfig,
    RequestsConfig, RetriesConfig, Reuse, SecretRef, StageConfig, StateConfig, TargetConfig,
    Timeouts, TlsConfig, VaultAuth, VaultRef, VaultServer,
};
use crate::generation::BuildInputs;

#[cfg(test)]
mod tests;

/// A digest of everything that a generation is built from: equal fingerprints make equal chains, targets and clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads the secrets that the configuration refers to: not for a runtime worker.
    pub(super) fn of(inputs: &BuildInputs) -> Self {
        let mut hasher = Hasher(Sha256::new());
        hasher.config(&inputs.config);
        for stage in &inputs.config.stages {
            hasher.bytes(inputs.component(stage));
            hasher.option(inputs.samples(stage), Hasher::bytes);
        }
        Fingerprint(hasher.0.finalize().into())
    }
}

/// Hashes values so that their borders count too: lengths stand before texts and lists, and a tag before what may be missing.
struct Hasher(Sha256);

impl Hasher {
    fn config(&mut self, config: &Config) {
        let Config {
            pack,
            stages,
            answers,
            headers,
            targets,
            strategy,
            retries,
            hedging,
            clients,
            jwt,
            client_metrics,
            admin,
            journal,
            state,
            reload,
            requests,
            models,
            pricing,
            // Nothing that serves is made of it.
            testing: _,
            places: _,
        } = config;
        self.pack(pack);
        self.list(stages, Self::stage);
        self.option(answers.as_ref(), |hasher, ids| {
            hasher.list(ids, |hasher, id| hasher.text(id));
        });
        self.list(headers, |hasher, name| hasher.text(name));
        self.list(targets, Self::target);
        self.text(&strategy.to_string());
        let RetriesConfig {
            attempts,
            within,
            budget,
        } = retries;
        self.number(u64::from(*attempts));
        self.time(*within);
        self.number(u64::from(*budget));
        self.option(hedging.as_ref(), |hasher, hedging| {
            let HedgingConfig { percentile, floor } = hedging;
            hasher.number(u64::from(*percentile));
            hasher.time(*floor);
        });
        self.list(clients, Self::client);
        self.option(jwt.as_ref(), Self::jwt);
        let ClientMetrics {
            principals,
            teams,
            roles,
        } = client_metrics;
        for names in [principals, teams, roles] {
            self.number(*names as u64);
        }
        self.list(admin, Self::admin);
        self.journal(journal);
        let StateConfig { store } = state;
        self.option(store.as_deref(), Self::text);
        self.reload(reload);
        self.requests(requests);
        self.models(models);
        self.pricing(pricing);
    }

    fn models(&mut self, models: &ModelsConfig) {
        let ModelsConfig { aliases } = models;
        self.number(aliases.len() as u64);
        for (alias, model) in aliases {
            self.text(alias);
            self.text(model);
        }
    }

    fn pricing(&mut self, pricing: &PricingConfig) {
        let PricingConfig { models } = pricing;
        self.number(models.len() as u64);
        for (model, price) in &**models {
            let Price {
                input,
                cached_input,
                output,
            } = price;
            self.text(model);
            for price in [input, cached_input, output] {
                self.number(*price);
            }
        }
    }

    fn requests(&mut self, requests: &RequestsConfig) {
        let RequestsConfig { opaque_parts } = requests;
        self.flag(*opaque_parts == OpaqueParts::Refuse);
    }

    fn pack(&mut self, pack: &Pack) {
        let Pack {
            name,
            version,
            enabled,
            id,
            author,
            description,
        } = pack;
        self.text(name);
        self.text(version);
        self.flag(*enabled);
        for text in [id, author, description] {
            self.option(text.as_deref(), Self::text);
        }
    }

    fn stage(&mut self, stage: &StageConfig) {
        let StageConfig {
            id,
            component,
            digest,
            on_error,
            breaker,
            mode,
            isolation,
            limits,
            grants,
            http,
            settings,
            at,
        } = stage;
        self.text(id);
        match component {
            ComponentSource::Bundled(name) => {
                self.flag(true);
                self.text(name);
            }
            ComponentSource::File(path) => {
                self.flag(false);
                self.path(path);
            }
        }
        self.option(digest.as_deref(), Self::text);
        // These three are shown by the words of the configuration file, which never change.
        self.text(&on_error.to_string());
        self.flag(*breaker);
        self.text(&mode.to_string());
        self.isolation(isolation);
        self.limits(limits);
        self.list(grants, |hasher, grant| hasher.text(&grant.to_string()));
        self.option(http.as_ref(), Self::http);
        self.text(&settings.to_string());
        let Position { line, column } = at;
        self.number(*line as u64);
        self.number(*column as u64);
    }

    fn http(&mut self, http: &HttpConfig) {
        let HttpConfig {
            hosts,
            timeout,
            max_request,
            max_reply,
            calls,
            at_once,
        } = http;
        self.list(hosts, |hasher, host| {
            let HttpHost {
                url,
                private,
                secret,
                secret_header,
            } = host;
            hasher.text(url.as_str());
            hasher.flag(*private);
            hasher.option(secret.as_ref(), Self::secret);
            hasher.option(secret_header.as_deref(), Self::text);
        });
        self.time(*timeout);
        for number in [*max_request, *max_reply, (*calls).into(), (*at_once).into()] {
            self.number(number);
        }
    }

    fn isolation(&mut self, isolation: &Isolation) {
        self.text(&isolation.to_string());
        if let Isolation::Reused(reuse) = isolation {
            let Reuse {
                exchanges,
                age,
                memory_growth,
            } = reuse;
            self.number(u64::from(*exchanges));
            self.time(*age);
            self.number(*memory_growth);
        }
    }

    fn limits(&mut self, limits: &Limits) {
        let Limits {
            memory,
            request_cpu,
            delta_cpu,
            exchange_cpu,
            call_time,
            held_text,
            held_time,
        } = limits;
        self.number(*memory);
        self.number(*held_text);
        for time in [request_cpu, delta_cpu, exchange_cpu, call_time, held_time] {
            self.time(*time);
        }
    }

    fn target(&mut self, target: &TargetConfig) {
        let TargetConfig {
            id,
            provider,
            model,
            base_url,
            // The command line says it, with the address.
            simulated: _,
            keys,
            weight,
            breaker,
            health_check,
            data_policy,
            timeouts,
            unknown_members,
            parameters,
            tls,
            http2,
        } = target;
        self.text(id);
        self.text(provider);
        self.option(model.as_deref(), Self::text);
        self.text(base_url.as_str());
        self.list(keys, |hasher, KeyConfig { secret, weight }| {
            hasher.secret(secret);
            hasher.number(u64::from(*weight));
        });
        self.number(u64::from(*weight));
        let BreakerConfig {
            failures,
            rate,
            rest,
        } = breaker;
        self.number(u64::from(*failures));
        self.number(u64::from(*rate));
        self.time(*rest);
        self.option(health_check.as_ref(), |hasher, check| {
            let HealthCheckConfig { every, timeout } = check;
            hasher.time(*every);
            hasher.time(*timeout);
        });
        let DataPolicy {
            retention_days,
            trains,
            region,
        } = data_policy;
        self.option(*retention_days, |hasher, days| hasher.number(days.into()));
        self.option(*trains, Self::flag);
        self.option(region.as_deref(), Self::text);
        let Timeouts {
            connect,
            first_byte,
            first_token,
            silence,
            total,
        } = timeouts;
        for time in [connect, first_byte, first_token, silence, total] {
            self.time(*time);
        }
        self.text(&unknown_members.to_string());
        self.text(&parameters.to_string());
        let TlsConfig { ca, identity } = tls;
        self.option(ca.as_deref(), Self::pem);
        self.option(identity.as_ref(), |hasher, identity| {
            let IdentityFiles { cert, key } = identity;
            hasher.pem(cert);
            hasher.pem(key);
        });
        self.flag(*http2);
    }

    fn client(&mut self, client: &ClientConfig) {
        let ClientConfig {
            id,
            key,
            team,
            roles,
            models,
            expires,
            enabled,
        } = client;
        self.text(id);
        self.key(key);
        self.option(team.as_deref(), Self::text);
        self.list(roles, |hasher, role| hasher.text(role));
        self.option(models.as_deref(), |hasher, models| {
            hasher.list(models, |hasher, model| hasher.text(model));
        });
        self.option(*expires, Self::number);
        self.flag(*enabled);
    }

    fn admin(&mut self, token: &AdminToken) {
        let AdminToken {
            id,
            key,
            role,
            expires,
        } = token;
        self.text(id);
        self.key(key);
        self.text(&role.to_string());
        self.option(*expires, Self::number);
    }

    fn key(&mut self, key: &ClientKey) {
        match key {
            ClientKey::Secret(secret) => {
                self.flag(true);
                self.secret(secret);
            }
            ClientKey::Hash(hash) => {
                self.flag(false);
                self.bytes(hash);
            }
        }
    }

    fn jwt(&mut self, jwt: &JwtConfig) {
        let JwtConfig {
            issuer,
            audience,
            algorithms,
            jwks,
            ca_file,
            leeway,
            refresh,
            refetch,
            claims,
        } = jwt;
        self.text(issuer);
        self.list(audience, |hasher, audience| hasher.text(audience));
        self.list(algorithms, |hasher, algorithm| {
            hasher.text(&format!("{algorithm:?}"));
        });
        match jwks {
            JwksSource::Url(url) => self.text(url.as_str()),
            JwksSource::Discovery(url) => self.text(url.as_str()),
            // What is in it is public, and a change of it is one of the keys.
            JwksSource::File(path) => self.pem(path),
        }
        self.flag(matches!(jwks, JwksSource::Discovery(_)));
        self.option(ca_file.as_deref(), Self::pem);
        for time in [leeway, refresh, refetch] {
            self.time(*time);
        }
        let Claims {
            principal,
            team,
            roles,
        } = claims;
        self.text(principal);
        self.option(team.as_deref(), Self::text);
        self.option(roles.as_deref(), Self::text);
    }

    fn journal(&mut self, journal: &JournalConfig) {
        let JournalConfig {
            store,
            immutable,
            retention_days,
        } = journal;
        self.option(store.as_deref(), Self::text);
        self.flag(*immutable);
        self.option(*retention_days, |hasher, days| hasher.number(days.into()));
    }

    fn reload(&mut self, reload: &ReloadConfig) {
        let ReloadConfig { drain, probation } = reload;
        self.time(*drain);
        self.option(*probation, Self::time);
    }

    /// The reference, and a digest of what it refers to: a key that was changed, or that has come, is a change as well.
    fn secret(&mut self, reference: &SecretRef) {
        self.reference(reference);
        self.0.update(match reference.read() {
            Ok(secret) => Sha256::digest(secret.expose()),
            Err(error) => Sha256::digest(error.to_string()),
        });
    }

    fn reference(&mut self, reference: &SecretRef) {
        match reference {
            SecretRef::Env(name) => {
                self.flag(true);
                self.text(name);
            }
            SecretRef::File(path) => {
                self.flag(false);
                self.path(path);
            }
            SecretRef::Exec(exec) => {
                let ExecRef {
                    program,
                    args,
                    timeout,
                    cache,
                } = exec;
                self.path(program);
                self.list(args, |hasher, arg| hasher.text(arg));
                self.time(*timeout);
                self.time(*cache);
            }
            SecretRef::Vault(vault) => self.vault(vault),
        }
    }

    fn vault(&mut self, vault: &VaultRef) {
        let VaultRef {
            server,
            mount,
            path,
            field,
            timeout,
            refresh,
        } = vault;
        let VaultServer {
            address,
            namespace,
            ca_file,
            auth,
        } = server;
        self.text(address.as_str());
        self.option(namespace.as_deref(), Self::text);
        self.option(ca_file.as_deref(), Self::path);
        match auth {
            VaultAuth::Token(token) => self.reference(token),
            VaultAuth::Kubernetes {
                role,
                jwt_file,
                mount,
            } => {
                self.text(role);
                self.path(jwt_file);
                self.text(mount);
            }
        }
        for text in [mount, path, field] {
            self.text(text);
        }
        self.time(*timeout);
        self.time(*refresh);
    }

    /// The path, and a digest of what is there: a certificate that was replaced is a change as well.
    fn pem(&mut self, path: &Path) {
        self.path(path);
        self.0.update(match PemFile::read(path) {
            Ok(file) => Sha256::digest(file.expose()),
            Err(error) => Sha256::digest(error.to_string()),
        });
    }

    fn list<T>(&mut self, items: &[T], one: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            one(self, item);
        }
    }

    fn option<T>(&mut self, value: Option<T>, one: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            one(self, value);
        }
    }

    fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_encoded_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn time(&mut self, time: Duration) {
        self.0.update(time.as_nanos().to_le_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.update([u8::from(flag)]);
    }
}
