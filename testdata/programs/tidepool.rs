//! A tide pool that dies in five ways, one function a way.  SPDX-License-Identifier: Apache-2.0
//!
//!     tidepool KIND    KIND is an arm of the match in main: unwrap, bounds, overflow, panic, null
//!
//! Optimised, with debug information, panic = abort. `#[inline(never)]` keeps a frame, `#[inline(always)]` gives it away.
use std::collections::BTreeMap;
use std::ffi::{c_char, CStr};
use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

extern "C" {
    fn crashpad_client_install(product: *const c_char, version: *const c_char);
}

mod fauna {
    pub trait Animal {
        fn legs(&self) -> u32;
    }

    pub struct Crab {
        pub lost: Option<u32>,
    }

    impl Animal for Crab {
        #[inline(never)]
        fn legs(&self) -> u32 {
            10 - self.lost.unwrap()
        }
    }

    #[inline(never)]
    pub fn count_legs(animals: &[Box<dyn Animal>]) -> u32 {
        animals.iter().map(|animal| animal.legs()).sum()
    }
}

mod water {
    /// The depth of the water at a stone, in millimetres.
    #[inline(always)]
    fn depth_at(depths: &[u32], stone: usize) -> u32 {
        depths[stone] * 10
    }

    #[inline(never)]
    pub fn deepest(depths: &[u32], stones: &[usize]) -> u32 {
        stones.iter().map(|&stone| depth_at(depths, stone)).max().unwrap_or(0)
    }

    /// Follows the ripples of a stone, each of which makes another.
    #[inline(never)]
    pub fn ripple(ring: u64, height: &mut [u64; 24]) -> u64 {
        if ring == 0 {
            return 0; // never: the rings count upwards
        }
        height[(ring % 24) as usize] = ring;
        let mut next = *height;
        ripple(ring + 1, std::hint::black_box(&mut next)) + height[5]
    }
}

#[inline(never)]
fn check_tide(levels: &BTreeMap<&str, i32>) -> i32 {
    match levels.get("low") {
        Some(level) if *level < 0 => panic!("tide at {level}: the pool has run dry"),
        Some(level) => *level,
        None => 0,
    }
}

#[inline(never)]
fn read_gauge(gauge: *const u32) -> u32 {
    unsafe { gauge.add(2).read_volatile() + 1 }
}

fn install(product: &CStr, version: &CStr) {
    unsafe { crashpad_client_install(product.as_ptr(), version.as_ptr()) }
}

fn main() {
    install(c"tidepool", c"0.4.2");

    // Two more threads, asleep: they wait for a lock that is held until the end.
    let shore = Arc::new((Barrier::new(3), Mutex::new(())));
    let held = shore.1.lock().unwrap();
    for name in ["tide", "waves"] {
        let shore = Arc::clone(&shore);
        let wait = move || {
            shore.0.wait();
            drop(shore.1.lock());
        };
        thread::Builder::new().name(name.into()).spawn(wait).unwrap();
    }
    shore.0.wait();
    thread::sleep(std::time::Duration::from_millis(50));

    let answer = match std::env::args().nth(1).as_deref() {
        Some("unwrap") => fauna::count_legs(&[Box::new(fauna::Crab { lost: Some(2) }), Box::new(fauna::Crab { lost: black_box(None) })]),
        Some("bounds") => water::deepest(black_box(&[12, 40, 7]), black_box(&[0, 2, 3])),
        Some("overflow") => {
            // A small stack makes a small dump.
            let drop_stone = || water::ripple(1, &mut [0; 24]) as u32;
            thread::Builder::new().name("ripples".into()).stack_size(64 << 10).spawn(drop_stone).unwrap().join().unwrap()
        }
        Some("panic") => check_tide(&BTreeMap::from([("high", 31), ("low", -4)])) as u32,
        Some("null") => read_gauge(black_box(std::ptr::null())),
        _ => panic!("usage: tidepool KIND, and KIND kills it"),
    };
    println!("survived with {answer}");
    drop(held);
}
