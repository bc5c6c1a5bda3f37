//! `bench [queue|cloud|reconcile|api|all]`: measures, and prints what was measured beside its target.

use tests::bench;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let section = std::env::args().nth(1).unwrap_or_else(|| "all".to_owned());
    let mut met = true;
    match section.as_str() {
        "queue" => met &= bench::queue::run().await?,
        "api" => met &= bench::api::run().await?,
        "cloud" => bench::cloud::run()?,
        "reconcile" => met &= bench::reconcile::run()?,
        // What `reconcile` runs once for each size.
        "reconcile-of" => {
            let things = std::env::args().nth(2).unwrap_or_default().parse()?;
            return bench::reconcile::child(things).await;
        }
        "all" => {
            bench::cloud::run()?;
            met &= bench::reconcile::run()?;
            met &= bench::queue::run().await?;
            met &= bench::api::run().await?;
        }
        other => anyhow::bail!("unknown section `{other}`: use queue, cloud, reconcile, api or all"),
    }
    std::process::exit(i32::from(!met));
}
