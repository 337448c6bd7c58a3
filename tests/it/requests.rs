//! What the verbs of the main job ask of a registry: how many requests, and how many one after the other.

use std::time::Duration;

use crate::support::registry::{Request, TestRegistry};
use crate::support::shop::Shop;

/// The most requests of which each began when the one before it had been answered.
fn rounds(requests: &[Request]) -> usize {
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort_by_key(|request| request.began);
    let mut depths: Vec<usize> = Vec::new();
    for (at, request) in sorted.iter().enumerate() {
        let before = (0..at).filter(|other| sorted[*other].ended <= request.began);
        depths.push(1 + before.map(|other| depths[other]).max().unwrap_or(0));
    }
    depths.into_iter().max().unwrap_or(0)
}

fn told(requests: &[Request]) -> String {
    let Some(first) = requests.iter().map(|request| request.began).min() else {
        return String::new();
    };
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort_by_key(|request| request.began);
    let lines = sorted.iter().map(|request| {
        let began = request.began.duration_since(first).as_millis();
        format!("{began:5} {} ({} in, {} out)\n", request.line(), request.received, request.sent)
    });
    lines.collect()
}

#[test]
fn a_promotion() {
    for api in [true, false] {
        let builder = TestRegistry::builder();
        let registry = if api { builder.referrers_api() } else { builder }.start();
        let shop = Shop::new(&registry);
        for line in ["build", "test dev", "promote dev staging", "test staging"] {
            registry.slow(Duration::from_millis(100));
            registry.take_lines();
            shop.done(line);
            let requests = registry.requests();
            println!("{line} api {api}: {} requests, {} rounds\n{}", requests.len(), rounds(&requests), told(&requests));
        }
    }
}
