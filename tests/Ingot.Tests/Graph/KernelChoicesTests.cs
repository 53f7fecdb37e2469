using Ingot.Bindings;
using Ingot.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

public class KernelChoicesTests
{
    private static readonly (string Op, string Label)[] Calls =
    [
        ("attention", "transformer.h.0.attn"), ("attention", "transformer.h.1.attn"), ("matmul", "transformer.h.0.mlp"),
    ];

    [Test]
    public void ALayersChoiceGoesBeforeThatOfTheOp()
    {
        KernelChoices choices = Make(("attention", "fused"), ("h.1.attn/attention", "naive"));
        Assert.That(choices.For("attention", "transformer.h.0.attn"), Is.EqualTo("fused"));
        Assert.That(choices.For("attention", "transformer.h.1.attn"), Is.EqualTo("naive"));
        // A layer is whole parts between dots: h.1 is not h.11.
        Assert.That(choices.For("attention", "transformer.h.11.attn"), Is.EqualTo("fused"));
        Assert.That(choices.For("matmul", "transformer.h.1.attn"), Is.Null);
    }

    [Test]
    public void TheMostLettersWin()
    {
        KernelChoices choices = Make(("h.*/matmul", "naive"), ("h.*.mlp/matmul", "packed"), ("h.3.mlp/matmul", "onednn"), ("*/matmul",
            "rows"));
        Assert.That(choices.For("matmul", "transformer.h.3.mlp"), Is.EqualTo("onednn"));
        Assert.That(choices.For("matmul", "transformer.h.4.mlp"), Is.EqualTo("packed"));
        Assert.That(choices.For("matmul", "transformer.h.4.attn"), Is.EqualTo("naive"));
        Assert.That(choices.For("matmul", "lm_head"), Is.EqualTo("rows"));
    }

    [TestCase("attenton", "naive", "kernel attenton=naive: there is no op \"attenton\" (did you mean attention?)")]
    [TestCase("attention", "niave", "attention has no CPU kernel \"niave\" (did you mean naive?); there is ")]
    [TestCase("h.7.attn/attention", "naive",
        "no call of attention is in a layer \"h.7.attn\"; they are in transformer.h.0.attn, transformer.h.1.attn")]
    public void WhatCannotBeMeantIsAnError(string key, string variant, string message) =>
        Assert.That(() => Make((key, variant)).Check(DeviceKind.Cpu, Calls),
            Throws.ArgumentException.With.Message.Contains(message));

    [Test]
    public void WhatCanBeMeantIsNone() =>
        Assert.That(() => Make(("attention", "naive"), ("h.*/attention", "fused"), ("h.7/write_rows", "plain"), ("*/matmul", "naive"))
            .Check(DeviceKind.Cpu, Calls), Throws.Nothing);

    [Test]
    public void AnEmptyLayerIsAnError() =>
        Assert.That(() => Make(("/attention", "naive")), Throws.ArgumentException.With.Message.Contains("\"/attention\" is no op and "
            + "no layer/op"));

    private static KernelChoices Make(params (string Key, string Variant)[] choices) => new(choices.ToDictionary(c => c.Key, c =>
        c.Variant));
}
