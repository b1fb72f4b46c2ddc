//! Non-negative least squares: the prices, none below zero, that predict the measured times best.

/// Returns the `x >= 0` that minimizes the squared error of `a x = b`, by coordinate descent. `rows` are the rows of
/// `a`, each with its `b`.
pub fn solve(rows: &[(Vec<f64>, f64)], unknowns: usize) -> Vec<f64> {
    let mut x = vec![0.0; unknowns];
    let mut rest: Vec<f64> = rows.iter().map(|(_, b)| *b).collect();
    let squares: Vec<f64> = (0..unknowns).map(|j| rows.iter().map(|(row, _)| row[j] * row[j]).sum()).collect();
    for _ in 0..5000 {
        let mut moved: f64 = 0.0;
        for j in 0..unknowns {
            if squares[j] == 0.0 {
                continue;
            }
            let gradient: f64 = rows.iter().zip(&rest).map(|((row, _), rest)| row[j] * rest).sum();
            let step = (x[j] + gradient / squares[j]).max(0.0) - x[j];
            if step != 0.0 {
                x[j] += step;
                rows.iter().zip(&mut rest).for_each(|((row, _), rest)| *rest -= step * row[j]);
                moved = moved.max(step.abs());
            }
        }
        if moved < 1e-9 {
            break;
        }
    }
    x
}
