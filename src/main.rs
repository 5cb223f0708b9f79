//! temporary driver
use ldyn_tui::protocol::*;
use ldyn_tui::train::EventSink;
use std::io::Write;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
struct Sink(std::io::BufWriter<std::fs::File>, std::time::Instant);
impl EventSink for Sink {
    fn emit(&mut self, e: &TrainerEvent) -> ldyn_tui::Result<()> {
        if e.is_recorded() { serde_json::to_writer(&mut self.0, e).unwrap(); self.0.write_all(b"\n").unwrap(); }
        let t = self.1.elapsed().as_secs_f64();
        match e {
            TrainerEvent::Evaluation(v) => {
                let mut s = format!("{t:6.1} {:4} ", v.step);
                let m = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
                for (k, x) in &v.logps { s += &format!("{}={:.1} ", k.key(), m(x)); }
                if !v.chosen.argmax_logps.is_empty() { s += &format!("argmax={:.1} ", m(&v.chosen.argmax_logps)); }
                if let Some(f) = &v.window_flow { let g: f32 = f.gain.iter().sum(); let st: f32 = f.star_gain.iter().sum(); s += &format!("S={:.2} by={:+.3} dH={:+.3} ", st / g, f.bystanders.iter().sum::<f32>() / f.gain.len() as f32, m(&f.entropy)); }
                if !v.greedy.is_empty() { s += &format!("d2={:.3} r4={:.3} | {}", v.greedy.iter().map(|g| g.distinct_2).sum::<f32>() / v.greedy.len() as f32, v.greedy.iter().map(|g| g.repeat_4).sum::<f32>() / v.greedy.len() as f32, v.greedy[0].text); }
                println!("{s}"); self.0.flush().unwrap();
            }
            TrainerEvent::Step(m) if m.step % 50 == 0 || m.step < 3 => println!("{t:6.1} step {} {}", m.step, m.metrics.iter().map(|(k, v)| format!("{k}={v:.4}")).collect::<Vec<_>>().join(" ")),
            TrainerEvent::Step(_) | TrainerEvent::Speed { .. } | TrainerEvent::RunStarted(_) => {}
            other => println!("{t:6.1} {other:?}"),
        }
        Ok(())
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut text = std::fs::read_to_string(&a[1]).unwrap();
    for kv in a.iter().skip(3) { let (k, v) = kv.split_once('=').unwrap(); text = text.replace(k, v); }
    let e: ldyn_tui::experiment::Experiment = ron::from_str(&text).unwrap();
    std::fs::create_dir_all(&a[2]).unwrap();
    let f = std::fs::File::create(format!("{}/events.jsonl", a[2])).unwrap();
    let folder = e.output.save_model.then(|| std::path::PathBuf::from(&a[2]).join("model"));
    let backend = match std::env::var("BK").as_deref() { Ok("ndarray") => ldyn_tui::backend::BackendChoice::Ndarray, _ => ldyn_tui::backend::BackendChoice::Flex };
    let h = ldyn_tui::train::spawn(e, backend, folder, Box::new(Sink(std::io::BufWriter::new(f), std::time::Instant::now()))).unwrap();
    if let Err(e) = h.join() { println!("ERROR {e}"); }
}
