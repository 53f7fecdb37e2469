using Ingot.Bindings;
using Ingot.Data;
using Ingot.Models;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

/// <summary>Examples of a prompt, an answer and a further prompt: the answer alone is learnt.</summary>
public sealed class MaskedPromptTests
{
    private const int Prompt = 3, Answer = 2, Length = 7;

    private static ModelConfig[] Models => ModelGradientTests.Models;

    [TestCaseSource(nameof(Models))]
    public void TheLossIsThatOfTheAnswer(ModelConfig model)
    {
        var example = Example(model);
        using var store = ModelGradientTests.Store(model, DType.F32);
        var reference = new ReferenceModel(model, ModelGradientTests.Values(store), 1, Length);
        // The answer's tokens are predicted from the place before each.
        int[] targets = [.. Enumerable.Range(0, Length).Select(i => i is >= Prompt - 1 and < Prompt + Answer - 1 ? example.Tokens[i + 1] : -100)];

        var (loss, _) = Learn(model, example);

        Assert.That(loss, Is.EqualTo(reference.Loss([.. example.Tokens], targets, out _)).Within(1e-4).Percent);
    }

    [TestCaseSource(nameof(Models))]
    public void WhatFollowsTheAnswerChangesNoBit(ModelConfig model)
    {
        var example = Example(model);
        int[] tokens = [.. example.Tokens];
        for (var i = Prompt + Answer; i < Length; i++)
            tokens[i] = (tokens[i] + 5) % model.VocabularySize;

        var (loss, gradient) = Learn(model, example);
        var (other, otherGradient) = Learn(model, new TokenizedExample(tokens, [.. example.Learned]));

        Assert.That(BitConverter.DoubleToInt64Bits(other), Is.EqualTo(BitConverter.DoubleToInt64Bits(loss)));
        Assert.That(otherGradient, Is.EqualTo(gradient));
        Assert.That(gradient.Any(g => g != 0));
    }

    [TestCaseSource(nameof(Models))]
    public void LearningThePromptTooIsSomethingElse(ModelConfig model)
    {
        var example = Example(model);
        var all = new TokenizedExample([.. example.Tokens], [.. example.Tokens.Select(_ => true)]);
        Assert.That(Learn(model, all).Loss, Is.Not.EqualTo(Learn(model, example).Loss).Within(1e-3));
    }

    private static TokenizedExample Example(ModelConfig model)
    {
        var random = new Random(11);
        return new TokenizedExample([.. Enumerable.Range(0, Length).Select(_ => random.Next(model.VocabularySize))],
            [.. Enumerable.Range(0, Length).Select(i => i is >= Prompt and < Prompt + Answer)]);
    }

    private static (double Loss, float[] Gradient) Learn(ModelConfig model, TokenizedExample example)
    {
        var source = new ExampleBatches(new ExampleSet("test", [example]), 1, Length, seed: 1);
        var batch = ((IBatchSource)source).NewBatch();
        source.Next(batch);
        using var store = ModelGradientTests.Store(model, DType.F32);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = 1, Length = Length, HasSegments = true });
        step.Begin(batch, 0);
        step.Update(learningRate: 0);
        return (step.Finish().Loss, [.. store.Parameters.SelectMany(p => store.View(store.Gradients!, p.Name).ToArray())]);
    }
}
