//! The semantics page as an executable model: slow, obvious, and apart from the engine.
//!
//! It works on the JSON itself, recurses where the page speaks of trees and chains, and uses nothing
//! of the crate under test.

use serde_json::Value;

pub(crate) struct Answer {
    pub(crate) effect: &'static str,
    pub(crate) code: &'static str,
    pub(crate) by: Vec<String>,
    pub(crate) obligations: Vec<String>,
    /// How many grants the longest chain has that a permit rests on.
    pub(crate) chain: usize,
}

pub(crate) struct Model<'a> {
    pub(crate) world: &'a Value,
    pub(crate) directives: &'a [Value],
    pub(crate) request: &'a Value,
}

const GATED: [&str; 6] = ["PSY", "SUD", "HIV", "SDV", "GDIS", "INBOX"];
const PURPOSES: [&str; 13] = [
    "TREAT", "COC", "ETREAT", "ERTREAT", "HPAYMT", "HOPERAT", "HRESCH", "CLINTRL", "PATRQT",
    "FAMRQT", "PWATRNY", "BTG", "PUBHLTH",
];
const ACTIONS: [&str; 5] = ["read", "search", "create", "amend", "export"];
const LEVELS: [&str; 6] = ["U", "L", "M", "N", "R", "V"];
const FOREVER: u64 = u64::MAX;

fn text<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object.get(key).and_then(Value::as_str)
}

fn num(object: &Value, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

/// A list of strings; `None` if it is absent.
fn list<'v>(object: &'v Value, key: &str) -> Option<Vec<&'v str>> {
    let items = object.get(key)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).collect())
}

fn seq(directive: &Value, key: &str) -> (u64, u64) {
    (
        directive[key][0].as_u64().unwrap(),
        directive[key][1].as_u64().unwrap(),
    )
}

fn level(object: &Value, key: &str, default: &str) -> usize {
    let level = text(object, key).unwrap_or(default);
    LEVELS.iter().position(|one| *one == level).unwrap()
}

fn inside(window: &Value, t: u64) -> bool {
    window[0].as_u64().unwrap_or(0) <= t && window[1].as_u64().is_none_or(|until| t < until)
}

fn purpose_covers(named: &str, asked: &str) -> bool {
    let covered: &[&str] = match named {
        "TREAT" => &["TREAT", "COC", "ETREAT", "ERTREAT"],
        "ETREAT" => &["ETREAT", "ERTREAT"],
        _ => &[],
    };
    named == asked || covered.contains(&asked)
}

impl Model<'_> {
    fn t(&self) -> u64 {
        num(self.request, "t").unwrap()
    }

    fn asked(&self, key: &str) -> &str {
        text(self.request, key).unwrap()
    }

    fn record(&self) -> &Value {
        &self.world["records"][self.asked("record")]
    }

    fn record_tags(&self) -> Vec<&str> {
        list(self.record(), "tags").unwrap_or_default()
    }

    fn patient(&self) -> &Value {
        &self.world["patients"][self.asked("patient")]
    }

    fn adult(&self, t: u64) -> bool {
        num(self.patient(), "adult_from").unwrap_or(0) <= t
    }

    fn consents(&self, t: u64) -> bool {
        num(self.patient(), "minor_consent_from").is_some_and(|from| from <= t)
    }

    fn guardian(&self, actor: &str, t: u64) -> bool {
        let window = self
            .patient()
            .get("guardians")
            .and_then(|all| all.get(actor));
        window.is_some_and(|window| inside(window, t))
    }

    fn private(&self, tags: &[&str]) -> bool {
        let private = list(self.patient(), "minor_private_tags").unwrap_or_default();
        tags.iter().any(|tag| private.contains(tag))
    }

    fn standing(&self, actor: &str) -> bool {
        let Some(actor) = self.world["actors"].get(actor) else {
            return false;
        };
        let suspended = num(actor, "suspended_from").is_some_and(|from| from <= self.t());
        let credential = match actor.get("credential") {
            None => true,
            Some(windows) => windows
                .as_array()
                .unwrap()
                .iter()
                .any(|window| inside(window, self.t())),
        };
        credential && !suspended
    }

    fn is_among(&self, grantees: &[&str]) -> bool {
        let id = self.asked("actor");
        let actor = &self.world["actors"][id];
        let org = text(actor, "org").unwrap_or("");
        let roles = list(actor, "roles").unwrap_or_default();
        grantees.iter().any(|grantee| {
            *grantee == "any:*"
                || *grantee == format!("actor:{id}")
                || *grantee == format!("org:{org}")
                || roles.iter().any(|role| *grantee == format!("role:{role}"))
                || roles
                    .iter()
                    .any(|role| *grantee == format!("orgrole:{org}/{role}"))
        })
    }

    // Matching.

    fn speaks_of(&self, node: &Value) -> bool {
        let record = self.record();
        let selects = |key: &str, value: Option<&str>| {
            list(node, key).is_none_or(|list| value.is_some_and(|value| list.contains(&value)))
        };
        let authored = num(record, "authored").unwrap();
        list(node, "to").is_none_or(|to| self.is_among(&to))
            && list(node, "purposes").is_none_or(|purposes| {
                purposes
                    .iter()
                    .any(|named| purpose_covers(named, self.asked("purpose")))
            })
            && selects("records", Some(self.asked("record")))
            && selects("encounters", text(record, "encounter"))
            && selects("authors", text(record, "author"))
            && num(node, "data_from").unwrap_or(0) <= authored
            && authored < num(node, "data_until").unwrap_or(FOREVER)
    }

    fn covers(&self, node: &Value) -> bool {
        let named = list(node, "tags").unwrap_or_default();
        self.speaks_of(node)
            && node.get("purposes").is_some()
            && list(node, "actions")
                .unwrap_or(vec!["read"])
                .contains(&self.asked("action"))
            && list(node, "classes")
                .is_none_or(|all| all.contains(&text(self.record(), "class").unwrap()))
            && level(self.record(), "conf", "N") <= level(node, "conf", "N")
            && self
                .record_tags()
                .iter()
                .all(|tag| !GATED.contains(tag) || named.contains(tag))
    }

    fn touches(&self, node: &Value) -> bool {
        let tags = self.record_tags();
        let actions = list(node, "actions");
        self.speaks_of(node)
            && actions.is_none_or(|actions| actions.contains(&self.asked("action")))
            && (tags.contains(&"INBOX")
                || (list(node, "classes")
                    .is_none_or(|all| all.contains(&text(self.record(), "class").unwrap()))
                    && level(self.record(), "conf", "N") >= level(node, "conf_at_least", "U")
                    && list(node, "tags")
                        .is_none_or(|named| named.iter().any(|tag| tags.contains(tag)))))
    }

    /// Depth and effect of the deepest node that matches.
    fn deepest(
        &self,
        node: &Value,
        depth: usize,
        effect: &'static str,
    ) -> Option<(usize, &'static str)> {
        let matches = if effect == "permit" {
            self.covers(node)
        } else {
            self.touches(node)
        };
        if !matches {
            return None;
        }
        let mut best = (depth, effect);
        for child in node["except"].as_array().into_iter().flatten() {
            let effect = if child["effect"] == "permit" {
                "permit"
            } else {
                "deny"
            };
            if let Some(found) = self.deepest(child, depth + 1, effect)
                && (found.0 > best.0 || (found.0 == best.0 && found.1 == "deny"))
            {
                best = found;
            }
        }
        Some(best)
    }

    fn says(&self, directive: &Value) -> Option<&'static str> {
        if directive["kind"] == "grant" {
            if directive.get("to").is_none() || directive.get("purposes").is_none() {
                return None;
            }
            return self.deepest(directive, 0, "permit").map(|found| found.1);
        }
        self.deepest(directive, 0, "deny").map(|found| found.1)
    }

    // Which directives count.

    fn before(&self, directive: &Value) -> bool {
        seq(directive, "seq") < seq(self.request, "pos")
    }

    fn by_id(&self, id: &str) -> Option<&Value> {
        self.directives.iter().find(|one| one["id"] == id)
    }

    fn is_ancestor_issuer(&self, issuer: &Value, grant: &Value, steps: usize) -> bool {
        let parent = text(grant, "parent").and_then(|id| self.by_id(id));
        parent.is_some_and(|parent| {
            parent["issuer"] == *issuer
                || (steps > 0 && self.is_ancestor_issuer(issuer, parent, steps - 1))
        })
    }

    fn ended(&self, target: &Value) -> bool {
        self.directives.iter().any(|other| {
            if !self.before(other) || seq(other, "seq") <= seq(target, "seq") {
                return false;
            }
            match text(other, "kind").unwrap() {
                "revoke" => {
                    let is_grant = target["kind"] == "grant";
                    let own = other["issuer"] == target["issuer"];
                    let patient =
                        other["issuer"] == target["patient"] && (is_grant || self.adult(self.t()));
                    let above = is_grant && self.is_ancestor_issuer(&other["issuer"], target, 20);
                    other["target"] == target["id"] && (own || patient || above)
                }
                "grant" | "restrict" => {
                    list(other, "supersedes")
                        .is_some_and(|ids| ids.contains(&text(target, "id").unwrap()))
                        && other["issuer"] == target["issuer"]
                        && other["patient"] == target["patient"]
                }
                _ => false,
            }
        })
    }

    fn active(&self, directive: &Value) -> bool {
        self.before(directive)
            && directive["patient"] == self.request["patient"]
            && num(directive, "from").unwrap_or(0) <= self.t()
            && self.t() < num(directive, "until").unwrap_or(FOREVER)
            && !self.ended(directive)
    }

    fn issue_time(directive: &Value) -> u64 {
        num(directive, "issued")
            .or(num(directive, "from"))
            .unwrap_or(0)
    }

    fn valid_restriction(&self, directive: &Value) -> bool {
        let issuer = text(directive, "issuer").unwrap();
        directive["issuer"] == directive["patient"]
            || self.guardian(issuer, Self::issue_time(directive))
    }

    fn owner_may_grant(&self, issuer: &str, at: u64, tags: &[&str]) -> bool {
        if issuer == self.asked("patient") {
            return self.adult(at) || (self.consents(at) && !tags.is_empty());
        }
        let private = self.private(tags) || self.private(&self.record_tags());
        self.guardian(issuer, at) && !(private && self.consents(at))
    }

    fn quorum(&self, grant: &Value, at: u64) -> bool {
        let Some(quorum) = self.patient().get("quorum") else {
            return false;
        };
        let named = list(grant, "to").unwrap_or_default();
        let members = list(quorum, "members").unwrap();
        let approvals = members.iter().filter(|member| {
            !named.contains(&format!("actor:{member}").as_str())
                && self.directives.iter().any(|one| {
                    let t = num(one, "t").unwrap_or(0);
                    one["kind"] == "approve"
                        && one["guardian"] == ***member
                        && one["target"] == grant["id"]
                        && seq(one, "seq") <= seq(grant, "seq")
                        && t <= at
                        && at - t <= num(quorum, "ttl").unwrap_or(FOREVER)
                })
        });
        approvals.count() as u64 >= num(quorum, "k").unwrap()
    }

    /// How many grants the chain has that this one rests on; `None` if it does not stand.
    fn chain(&self, grant: &Value) -> Option<usize> {
        if grant.get("to").is_none() || grant.get("purposes").is_none() {
            return None;
        }
        let issuer = text(grant, "issuer").unwrap();
        let at = Self::issue_time(grant);
        let Some(parent) = grant.get("parent") else {
            let tags = list(grant, "tags").unwrap_or_default();
            let may = match issuer {
                "quorum" => self.quorum(grant, at),
                _ => self.owner_may_grant(issuer, at, &tags),
            };
            return may.then_some(1);
        };
        let parent = self.by_id(parent.as_str()?)?;
        let stands = parent["kind"] == "grant"
            && seq(parent, "seq") < seq(grant, "seq")
            && list(parent, "to")?.contains(&format!("actor:{issuer}").as_str())
            && num(parent, "delegable").unwrap_or(0) > num(grant, "delegable").unwrap_or(0)
            && parent["except"].as_array().is_none_or(Vec::is_empty)
            && Self::within(grant, parent)
            && self.active(parent)
            && self.standing(issuer);
        if !stands {
            return None;
        }
        Some(self.chain(parent)? + 1)
    }

    fn within(child: &Value, parent: &Value) -> bool {
        let limited = |key: &str| match (list(child, key), list(parent, key)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(child), Some(parent)) => child.iter().all(|one| parent.contains(one)),
        };
        let defaulted = |key: &str, default: Vec<&'static str>| {
            let outer = list(parent, key).unwrap_or(default.clone());
            list(child, key)
                .unwrap_or(default)
                .iter()
                .all(|one| outer.contains(one))
        };
        let from = |key: &str| num(child, key).unwrap_or(0) >= num(parent, key).unwrap_or(0);
        let until =
            |key: &str| num(child, key).unwrap_or(FOREVER) <= num(parent, key).unwrap_or(FOREVER);
        child["patient"] == parent["patient"]
            && ["classes", "records", "encounters", "authors", "purposes"]
                .into_iter()
                .all(limited)
            && defaulted("actions", vec!["read"])
            && defaulted("tags", vec![])
            && level(child, "conf", "N") <= level(parent, "conf", "N")
            && from("from")
            && until("until")
            && from("data_from")
            && until("data_until")
    }

    // The order of a decision.

    pub(crate) fn decide(&self) -> Answer {
        let (action, purpose) = (self.asked("action"), self.asked("purpose"));
        let (actor, t) = (self.asked("actor"), self.t());
        if !ACTIONS.contains(&action) || !PURPOSES.contains(&purpose) {
            return deny("malformed");
        }
        if self.world["records"].get(self.asked("record")).is_none() {
            return deny("not_visible");
        }
        let record = self.record();
        if record["patient"] != self.request["patient"] || num(record, "authored").unwrap() > t {
            return deny("malformed");
        }

        if actor == self.asked("patient") && purpose == "PATRQT" && action != "amend" {
            if num(record, "release_at").is_some_and(|release| t < release) {
                return deny("release_delayed");
            }
            if !self.adult(t) && !self.consents(t) {
                return deny("minor_no_capacity");
            }
            return permit("self", vec![]);
        }

        if !self.standing(actor) {
            return deny("actor_standing");
        }

        let family = purpose == "FAMRQT" || purpose == "PWATRNY";
        if family && action != "amend" && self.guardian(actor, t) {
            if self.private(&self.record_tags()) && self.consents(t) {
                return deny("minor_private");
            }
            return permit("guardian", vec![]);
        }

        for rule in self.world["law"].as_array().into_iter().flatten() {
            let tags = self.record_tags();
            let matches = list(rule, "purposes").is_none_or(|all| all.contains(&purpose))
                && list(rule, "tags").is_none_or(|all| all.iter().any(|tag| tags.contains(tag)))
                && !rule
                    .get("unless")
                    .is_some_and(|unless| self.is_among(&list(unless, "to").unwrap()));
            if matches {
                return Answer {
                    by: vec![rule["id"].as_str().unwrap().into()],
                    ..deny("law")
                };
            }
        }

        self.by_directives()
    }

    fn by_directives(&self) -> Answer {
        let (mut permits, mut denies, mut chain) = (vec![], vec![], 0);
        for one in self.directives {
            let (kind, id) = (
                text(one, "kind").unwrap(),
                text(one, "id").unwrap().to_owned(),
            );
            if (kind != "grant" && kind != "restrict") || !self.active(one) {
                continue;
            }
            if kind == "restrict" && self.valid_restriction(one) {
                let nested = one
                    .get("nested_grants")
                    .is_some_and(|nested| nested == true);
                let issuer = text(one, "issuer").unwrap();
                match self.says(one) {
                    Some("deny") => denies.push(id),
                    Some(_)
                        if nested && self.owner_may_grant(issuer, Self::issue_time(one), &[]) =>
                    {
                        permits.push(id);
                    }
                    _ => {}
                }
            } else if kind == "grant" {
                let Some(length) = self.chain(one) else {
                    continue;
                };
                match self.says(one) {
                    Some("deny") => denies.push(id),
                    Some(_) => {
                        chain = chain.max(length);
                        permits.push(id);
                    }
                    None => {}
                }
            }
        }
        if self.asked("purpose") == "BTG" {
            if !permits.is_empty() && denies.is_empty() {
                return Answer {
                    chain,
                    ..self.with_part2(permit("granted", permits))
                };
            }
            return self.break_glass(&denies);
        }
        if !denies.is_empty() {
            return Answer {
                by: sorted(denies),
                ..deny("restricted")
            };
        }
        if permits.is_empty() {
            return deny("no_grant");
        }
        Answer {
            chain,
            ..self.with_part2(permit("granted", permits))
        }
    }

    fn break_glass(&self, denies: &[String]) -> Answer {
        let policy = &self.world["emergency_policy"];
        let actor = &self.world["actors"][self.asked("actor")];
        let t = self.t();
        let mut open: Vec<_> = self
            .directives
            .iter()
            .filter(|one| {
                one["kind"] == "emergency"
                    && self.before(one)
                    && one["actor"] == self.request["actor"]
                    && one["patient"] == self.request["patient"]
                    && text(one, "reason")
                        .unwrap()
                        .chars()
                        .any(|c| !" \t\r\n".contains(c))
                    && num(one, "from").unwrap() <= t
                    && num(policy, "ttl").is_some_and(|ttl| t < num(one, "from").unwrap() + ttl)
                    && num(one, "closed").is_none_or(|closed| t < closed)
            })
            .map(|one| (seq(one, "seq"), text(one, "id").unwrap()))
            .collect();
        open.sort_unstable();
        if open.is_empty() {
            return deny("emergency_not_declared");
        }
        let roles = list(actor, "roles").unwrap_or_default();
        if !list(policy, "roles")
            .unwrap()
            .iter()
            .any(|role| roles.contains(role))
        {
            return deny("emergency_role");
        }
        if !["read", "search"].contains(&self.asked("action")) {
            return deny("emergency_read_only");
        }
        let never: Vec<_> = denies
            .iter()
            .filter(|id| {
                let one = self.by_id(id).unwrap();
                one["kind"] == "restrict" && one["override"] == "never"
            })
            .cloned()
            .collect();
        if policy["allow_absolute"] == true && !never.is_empty() {
            return Answer {
                by: sorted(never),
                ..deny("restricted_absolute")
            };
        }
        let org = text(actor, "org").unwrap_or("");
        let overdue = self.world["overdue_reviews"][org]
            .as_array()
            .map_or(0, Vec::len) as u64;
        if overdue >= num(policy, "max_overdue").unwrap()
            && level(self.record(), "conf", "N") > level(&Value::Null, "", "N")
        {
            return deny("emergency_review_overdue");
        }
        let mut answer = permit("emergency", vec![open[0].1.to_owned()]);
        let duties = ["notify_patient", "review", "reason"];
        answer.obligations.extend(duties.map(String::from));
        answer
            .obligations
            .extend(denies.iter().map(|id| format!("overrides:{id}")));
        self.with_part2(answer)
    }

    fn with_part2(&self, mut answer: Answer) -> Answer {
        if self.record_tags().contains(&"SUD") {
            let duties = ["attach_part2_notice", "attach_consent_copy"];
            answer.obligations.extend(duties.map(String::from));
        }
        answer.obligations = sorted(answer.obligations);
        answer
    }
}

fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_unstable();
    items
}

fn deny(code: &'static str) -> Answer {
    Answer {
        effect: "deny",
        code,
        by: vec![],
        obligations: vec![],
        chain: 0,
    }
}

fn permit(code: &'static str, by: Vec<String>) -> Answer {
    let obligations = vec!["log".to_owned()];
    Answer {
        effect: "permit",
        code,
        by: sorted(by),
        obligations,
        chain: 0,
    }
}
