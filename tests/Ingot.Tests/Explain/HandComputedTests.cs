using Ingot.Bindings;
using Ingot.Explain;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using NUnit.Framework;

namespace Ingot.Tests.Explain;

/// <summary>
/// A GPT-2 of one layer, one head and two tokens whose numbers can be worked out by hand. A token's embedding is (e, −e); what a LayerNorm
/// of width 2 makes of it is (u, −u) with u = e / √(e² + ε). Queries are (u, 0), keys (c u, 0), values (u, 0), and the attention's output
/// (o, 0) adds (m o, −m o). Positions, biases and the feed-forward layer are zero.
/// </summary>
public sealed class HandComputedTests
{
    private static readonly double[] E = [1, -2, 0.5];

    private static readonly ModelInput Input = new([0, 1]);

    [Test]
    public void AttentionAndLensAreThoseOfPaper()
    {
        // Nearly no ε, so that u is the sign of e; with c = ln 3 / √2 the second query's scores differ by ln 3.
        var (model, store) = Make(epsilon: 1e-12, c: Math.Log(3) / Math.Sqrt(2), m: 6);
        using (store)
        {
            var reading = ForwardReader.Read(model, store, Input, _ => true);

            Assert.That(reading.Attention, Has.Count.EqualTo(1));
            Assert.That(reading.Attention[0].Part, Is.EqualTo(AttentionPart.Decoder));
            Assert.That(reading.Attention[0].Probabilities, Is.EqualTo(new[] { 1, 0, 0.25, 0.75 }).Within(1e-6));
            // 6 · (1/4 · 1 + 3/4 · −1) = −3 is added to (−2, 2), and to (1, −1) what it has itself, 6.
            Assert.That(reading.HiddenStates[0], Is.EqualTo(new[] { 1.0, -1, -2, 2 }).Within(1e-6));
            Assert.That(reading.HiddenStates[1], Is.EqualTo(new[] { 7.0, -7, -5, 5 }).Within(1e-5));

            var rows = reading.HiddenStates.Select(states => (ReadOnlyMemory<float>)states.AsMemory(2, 2)).ToList();
            var lens = LogitLens.Read(model, store, rows, [1, 2], 2);
            // Both are (−1, 1) behind the norm: logits −2, 4 and −1.
            var total = Math.Exp(-2) + Math.Exp(4) + Math.Exp(-1);
            foreach (var read in lens)
            {
                Assert.That(read.Top.Select(p => p.Id), Is.EqualTo(new[] { 1, 2 }));
                Assert.That(read.Top.Select(p => p.Probability), Is.EqualTo(new[] { Math.Exp(4) / total, Math.Exp(-1) / total }).Within(1e-6));
            }

            Assert.That((lens[0].Rank, lens[1].Rank), Is.EqualTo((0, 1)));
            Assert.That(lens[1].Actual!.Value.Probability, Is.EqualTo(Math.Exp(-1) / total).Within(1e-6));
        }
    }

    [Test]
    public void GradientTimesInputIsTheDerivativeByHand([Values(0, 1, 2)] int target)
    {
        const double Epsilon = 1, C = 1.3, M = 0.7;
        var (model, store) = Make(Epsilon, C, M);
        using (store)
        using (var program = new AttributionProgram(model, store, Input))
        {
            var attribution = program.Attribute(position: 1, target, AttributionMethod.GradientTimesInput);

            double U(double e) => e / Math.Sqrt((e * e) + Epsilon);
            double Slope(double e) => Epsilon / Math.Pow((e * e) + Epsilon, 1.5);
            var (u0, u1, s) = (U(E[0]), U(E[1]), C / Math.Sqrt(2));
            var p1 = 1 / (1 + Math.Exp(-s * u1 * (u1 - u0)));
            var y = E[1] + (M * (u0 + (p1 * (u1 - u0))));
            var logits = E.Select(e => 2 * e * U(y)).ToArray();
            var total = logits.Sum(Math.Exp);
            Assert.That(attribution.LogProbability, Is.EqualTo(logits[target] - Math.Log(total)).Within(1e-6));
            // With embeddings of zero everything is zero.
            Assert.That(attribution.Baseline, Is.EqualTo(-Math.Log(3)).Within(1e-6));

            var byY = E.Select((e, j) => 2 * e * ((j == target ? 1 : 0) - (Math.Exp(logits[j]) / total))).Sum() * Slope(y);
            var byU0 = M * (1 - p1 - (p1 * (1 - p1) * s * u1 * (u1 - u0)));
            var byU1 = M * (p1 + (p1 * (1 - p1) * s * ((2 * u1) - u0) * (u1 - u0)));
            Assert.That(attribution.Tokens[0], Is.EqualTo(E[0] * byY * byU0 * Slope(E[0])).Within(1e-6));
            Assert.That(attribution.Tokens[1], Is.EqualTo(E[1] * byY * (1 + (byU1 * Slope(E[1])))).Within(1e-6));
            Assert.That(attribution.Source, Is.Null);
        }
    }

    private static (Gpt2Config Model, ParameterStore Store) Make(double epsilon, double c, double m)
    {
        var model = new Gpt2Config { VocabSize = 3, Positions = 2, Embedding = 2, LayerCount = 1, Heads = 1, LayerNormEpsilon = epsilon };
        var store = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: false);
        foreach (var norm in new[] { "transformer.h.0.ln_1", "transformer.h.0.ln_2", "transformer.ln_f" })
            store.Write(norm + ".weight", [1, 1]);
        store.Write("transformer.wte.weight", [.. E.SelectMany(e => new[] { (float)e, (float)-e })]);
        // [inputs, outputs]: the first input goes to the first elements of q, k and v.
        store.Write("transformer.h.0.attn.c_attn.weight", [1, 0, (float)c, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        store.Write("transformer.h.0.attn.c_proj.weight", [(float)m, (float)-m, 0, 0]);
        return (model, store);
    }
}
