using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

public sealed class ParameterSelectionTests
{
    private static readonly TrainingOptions Options = new();

    [TestCase("wte", "transformer.wte.weight", true)]
    [TestCase("wte*", "transformer.wte.weight", true)]
    [TestCase("transformer.wte.weight", "transformer.wte.weight", true)]
    [TestCase("te", "transformer.wte.weight", false)]
    [TestCase("h.1", "transformer.h.1.attn.c_attn.weight", true)]
    [TestCase("h.1", "transformer.h.11.attn.c_attn.weight", false)]
    [TestCase("h.?", "transformer.h.11.attn.c_attn.weight", false)]
    [TestCase("h.*.bias", "transformer.h.11.attn.c_attn.bias", true)]
    [TestCase("ln_*", "transformer.ln_f.weight", true)]
    [TestCase("LORA_b", "h.0.lora_B.weight", true)]
    [TestCase("/h\\.[0-5]\\./", "transformer.h.3.ln_1.weight", true)]
    [TestCase("/h\\.[0-5]\\./", "transformer.h.7.ln_1.weight", false)]
    [TestCase("/^wte/", "transformer.wte.weight", false)]
    public void PatternsMatchWholePartsOfNames(string pattern, string name, bool matches) =>
        Assert.That(NamePattern.Parse(pattern).Matches(name), Is.EqualTo(matches));

    [TestCase("")]
    [TestCase("/(/")]
    [TestCase("/(a)\\1/")]
    public void WhatIsNoPatternIsRefused(string pattern) => Assert.That(() => NamePattern.Parse(pattern), Throws.TypeOf<FormatException>());

    [Test]
    public void FreezeWinsOverTrainable()
    {
        var layout = ParameterSelection.Layout(ModelGradientTests.Models[0], Options with { Trainable = ["h.1", "ln_f"], Freeze = ["bias"] });
        Assert.That(layout.Parameters.Where(p => layout.IsTrained(p.Name)).Select(p => p.Name), Is.EquivalentTo((string[])
        [
            "transformer.h.1.ln_1.weight", "transformer.h.1.attn.c_attn.weight", "transformer.h.1.attn.c_proj.weight",
            "transformer.h.1.ln_2.weight", "transformer.h.1.mlp.c_fc.weight", "transformer.h.1.mlp.c_proj.weight", "transformer.ln_f.weight",
        ]));
    }

    [Test]
    public void GroupsLieOneBehindTheOther()
    {
        var layout = ParameterSelection.Layout(ModelGradientTests.Models[0], Options with
        {
            Freeze = ["wpe"],
            LearningRateFactors = new Dictionary<string, string> { ["wte*"] = "0.1", ["h.1"] = "0.5" },
            NoWeightDecay = ["wte"],
        });
        var at = 0L;
        foreach (var group in layout.Groups)
        {
            Assert.That(group.Offset, Is.EqualTo(at));
            at += group.Elements;
        }

        Assert.That(at, Is.EqualTo(layout.TrainedElements));
        Assert.That(layout.Groups.Select(g => g.Settings), Is.EquivalentTo((ParameterSettings[])
            [new(1, true), new(0.5, true), new(1, false), new(0.5, false), new(0.1, false)]));
        Assert.That(layout.OffsetOf("transformer.wpe.weight"), Is.EqualTo(layout.TrainedElements));
    }

    [Test]
    public void DecayGoesWithTheDistanceFromTheHead()
    {
        foreach (var model in ModelGradientTests.Models)
        {
            var layout = ParameterSelection.Layout(model, Options with { LayerwiseLearningRateDecay = 0.5 });
            foreach (var p in layout.Parameters)
            {
                var offset = layout.OffsetOf(p.Name);
                var factor = layout.Groups.Single(g => offset >= g.Offset && offset < g.Offset + g.Elements).Settings.LearningRateFactor;
                Assert.That(factor, Is.EqualTo(p.Name.Contains(".1.") ? 0.5 : p.Name.Contains(".0.") ? 0.25
                    : p.Name.Contains("wte") || p.Name.Contains("wpe") || p.Name.Contains("embed") ? 0.125 : 1), p.Name);
            }
        }
    }

    [TestCase("h.13", "did you mean")]
    [TestCase("c_atn", "did you mean c_attn?")]
    [TestCase("q_proj", "Names are such as transformer.wte.weight")]
    public void APatternThatMatchesNothingIsAnError(string pattern, string text)
    {
        var error = Assert.Throws<TrainingOptionsException>(
            () => ParameterSelection.Layout(ModelGradientTests.Models[0], Options with { Freeze = [pattern], Trainable = [pattern] }))!;
        Assert.That(error.Problems, Has.Count.EqualTo(2));
        Assert.That(error.Problems, Has.All.Contains($"\"{pattern}\" matches no parameter").And.All.Contains(text));
    }

    [Test]
    public void NothingLeftToTrainIsAnError() => Assert.That(
        () => ParameterSelection.Layout(ModelGradientTests.Models[0], Options with { Freeze = ["*"] }),
        Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("nothing to train"));

    [Test]
    public void FrozenParametersKeepEveryBitAndHaveNoGradient([Values] Precision precision)
    {
        var dtype = precision == Precision.Bf16 ? DType.Bf16 : DType.F32;
        foreach (var model in ModelGradientTests.Models)
        {
            var layout = ParameterSelection.Layout(model, Options with { Trainable = ["/\\.1\\./"], Freeze = ["mlp"] });
            using var store = new ParameterStore(Device.Cpu, layout, dtype, training: true);
            store.Initialize(3);
            using var whole = ModelGradientTests.Store(model, dtype);
            foreach (var p in store.Parameters)
                store.Write(p.Name, whole.Read(p.Name));
            var before = store.Parameters.ToDictionary(p => p.Name, p => store.Read(p.Name));
            var options = new TrainingStepOptions { Batch = 2, Length = 7, ComputeType = dtype, WeightDecay = 0.1 };
            using var step = new TrainingStep(model, store, options);
            using var wholeStep = new TrainingStep(model, whole, options);
            var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
            step.Run(tokens, targets, 0, learningRate: 0);
            wholeStep.Run(tokens, targets, 0, learningRate: 0);
            // What is trained has the same gradient as if all were. In bf16 that holds to rounding only: a frozen block keeps nothing for
            // a backward pass, so that its activations are taken of what is not rounded yet.
            foreach (var p in store.Parameters.Where(p => dtype == DType.F32 && layout.IsTrained(p.Name)))
                Assert.That(store.View(store.Gradients!, p.Name).ToArray(), Is.EqualTo(whole.View(whole.Gradients!, p.Name).ToArray()), p.Name);

            for (var i = 1; i < 4; i++)
                step.Run(tokens, targets, i, learningRate: 1e-2);
            foreach (var p in store.Parameters)
            {
                Assert.That(store.Read(p.Name), layout.IsTrained(p.Name) ? Is.Not.EqualTo(before[p.Name]) : Is.EqualTo(before[p.Name]),
                    p.Name);
            }
        }
    }

    [Test]
    public void NothingIsComputedForFrozenParameters()
    {
        var model = ModelGradientTests.Models[0];
        var options = new TrainingStepOptions { Batch = 2, Length = 7 };
        var layout = ParameterSelection.Layout(model, Options with { Trainable = ["h.1.mlp.c_proj"] });
        var (all, some) = (TrainingStep.Write(model, options), TrainingStep.Write(model, options, layout: layout));
        CompiledGraph.Prepare(all, new CompileOptions { Train = true });
        CompiledGraph.Prepare(some, new CompileOptions { Train = true });
        Assert.That(all.ParameterGradients, Has.Count.EqualTo(layout.Parameters.Count));
        Assert.That(some.ParameterGradients.Keys,
            Is.EquivalentTo((string[])["transformer.h.1.mlp.c_proj.weight", "transformer.h.1.mlp.c_proj.bias"]));
        // Block 0 and all below it run forward only, as without training.
        var forward = TrainingStep.Write(model, options);
        CompiledGraph.Prepare(forward, new CompileOptions());
        int Calls(Graph graph) => graph.Calls.Count(c => c.Label.StartsWith("transformer.h.0", StringComparison.Ordinal));
        Assert.That(Calls(some), Is.EqualTo(Calls(forward)));
        // Head: logits and dx, but no gradient of the tied table; c_proj: its own weight's alone.
        int MatMuls(Graph graph) => graph.Calls.Count(c => c.Op.Name == "matmul");
        Assert.That(MatMuls(some), Is.EqualTo(MatMuls(forward) + 2));
    }

    [Test]
    public void LearningRateFactorsScaleTheUpdate()
    {
        var model = ModelGradientTests.Models[0];
        var changes = new List<Dictionary<string, double>>();
        foreach (var factor in new[] { "1", "0.25" })
        {
            var factors = new Dictionary<string, string> { ["h.0"] = factor };
            var layout = ParameterSelection.Layout(model, Options with { LearningRateFactors = factors });
            using var store = new ParameterStore(Device.Cpu, layout, DType.F32, training: true);
            store.Initialize(3);
            var before = store.Parameters.ToDictionary(p => p.Name, p => store.Read(p.Name));
            using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = 2, Length = 7, MaxGradNorm = 0 });
            var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
            step.Run(tokens, targets, 0, learningRate: 1e-2);
            changes.Add(store.Parameters.ToDictionary(
                p => p.Name, p => store.Read(p.Name).Zip(before[p.Name], (a, b) => Math.Abs((double)a - b)).Sum()));
        }

        foreach (var (name, change) in changes[0])
            Assert.That(changes[1][name], Is.EqualTo(change * (name.Contains(".h.0.") ? 0.25 : 1)).Within(0.01).Percent, name);
    }
}
