//! Target inputs: any template over any event either fails with its reason or gives what its kind promises. Never
//! judges which text comes out; that is for the tests of the transformer.
#![no_main]

use landfall_core::transform::{RuleContext, TargetInput, transform, validate};
use libfuzzer_sys::fuzz_target;

const CONTEXT: RuleContext<'_> = RuleContext {
    rule_arn: "arn:aws:events:eu-central-1:123456789012:rule/fuzz",
    rule_name: "fuzz",
    ingestion_time: "2026-01-01T00:00:00Z",
};

// Two lines of paths, then the template up to a zero byte, then the event.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (head, event) = text
        .split_once('\0')
        .unwrap_or((text, r#"{"a":{"b":"x"},"n":[1,"\""]}"#));
    let mut parts = head.splitn(3, '\n');
    let (Some(one), Some(two), Some(template)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let paths = vec![
        ("a".to_owned(), one.to_owned()),
        ("n".to_owned(), two.to_owned()),
    ];
    let input = TargetInput::Transformer {
        paths,
        template: template.to_owned(),
    };
    let is_valid = validate("1", &input).is_ok();
    let filled = transform(&input, event, &CONTEXT);
    if let Ok(filled) = filled
        && is_valid
        && template.trim_start().starts_with('{')
    {
        assert!(
            serde_json::from_str::<&serde_json::value::RawValue>(&filled).is_ok(),
            "{filled}"
        );
    }
    let _ = transform(&TargetInput::Path(one.to_owned()), event, &CONTEXT);
});
